region "eu" {}
zone "shop" {
  name = "shop.example"
  soa {
    contact = "hostmaster@shop.example" # ERROR GS107: Invalid SOA
    refresh = "1h"
    retry   = "2h" # ERROR GS107: Invalid SOA
  }
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
zone "b" {
  name = "b.example"
  soa  = { refresh = "1d", expire = "1d" } # ERROR GS107: Invalid SOA
}
