check "b" {
  type = "tcp"
  port = 81
  rise = 1
}
region "eu" {}
region "us" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
domain "www" {
  zone = zone.shop
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.b
  }
  answer "b" {
    addresses = ["203.0.113.2"]
    check     = check.c
  }
}
check "c" {
  type = "tcp"
  port = 80
  fall = 1 # WARN GS409: Check turns over at every result
  rise = 1
}
