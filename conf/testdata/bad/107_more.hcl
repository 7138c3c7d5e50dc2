region "eu" {}
region "us" {}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
zone "a" {
  name = "a.example"
  soa  = { contact = "hostmaster" } # ERROR GS107: Invalid SOA
}
zone "b" {
  name = "b.example"
  soa  = { negative_ttl = "2d" } # WARN GS107: Unusual SOA
}
