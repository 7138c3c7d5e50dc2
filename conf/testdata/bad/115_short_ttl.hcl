region "eu" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
domain "a" {
  zone = zone.shop
  ttl  = "2s" # WARN GS115: TTL out of range
  answer "a" { addresses = ["203.0.113.1"] }
}
