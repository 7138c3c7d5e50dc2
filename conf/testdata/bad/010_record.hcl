region "eu" {}
zone "shop" {
  name = "shop.example"
  record "a" {
    type = "A"
    data = "2001:db8::1" # ERROR GS010: Invalid value
  }
  record "b" {
    type = "CNMAE" # ERROR GS010: Invalid value
    data = "a"
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
