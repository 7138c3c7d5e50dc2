region "eu" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" { # WARN GS105: Only one name server
  region    = region.eu
  addresses = ["192.0.2.53"]
}
domain "www" {
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
