region "eu" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53", "2001:db8:0:1::53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["192.0.2.54", "2001:db8:0:2::53"] # WARN GS104: Name servers in one place
}
