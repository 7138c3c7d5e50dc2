# The master file of a zone has errors, as those say who have read it.
# master shop.zone:2: bad A A: "192.0.2.256"
# master shop.zone:7: www.g.shop.example.: CNAME beside other data
region "eu" {}
region "us" {}
zone "shop" {
  name = "g.shop.example"
  file = "shop.zone"
}
nameserver "eu" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "us" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
