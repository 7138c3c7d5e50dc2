region "eu" {}
region "us" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu # WARN GS104: Name servers in one place
  addresses = ["198.51.100.53"]
}
