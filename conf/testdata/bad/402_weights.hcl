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
domain "www" {
  zone = zone.shop
  answer "a" {
    addresses = ["203.0.113.1"]
    weight    = 0 # ERROR GS402: All answer weights are zero
  }
  answer "b" {
    addresses = ["203.0.113.2"]
    weight    = 0
  }
}
