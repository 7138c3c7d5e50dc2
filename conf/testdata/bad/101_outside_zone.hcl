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
zone "inner" { name = "eu.shop.example" }
domain "www.other.example." { # ERROR GS101: Name outside its zone
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "www.eu" { # ERROR GS101: Name outside its zone
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
