region "eu" {}
zone "shop" {
  name = "shop.example"
  ttl  = "0s" # ERROR GS115: TTL out of range
}
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
  ttl  = "2500ms" # ERROR GS115: TTL out of range
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "b" {
  zone = zone.shop
  ttl  = "4000w" # ERROR GS115: TTL out of range
  answer "a" { addresses = ["203.0.113.1"] }
}
