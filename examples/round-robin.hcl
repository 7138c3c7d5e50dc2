# DNS rotating over clusters that exist: each has a NAT director and its VIP.
# hybrid.hcl has the directors and their farms in the file as well.
zone "shop" { name = "g.shop.example" }
region "eu" { location = [50.11, 8.68] }
region "us" { location = [39.04, -77.49] }
nameserver "eu" { # answers for the zone, as eu.g.shop.example
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "us" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
check "web" {
  type = "http"
  port = 80
}
domain "www" { # www.g.shop.example rotates over the VIPs that are up
  zone = zone.shop
  answer "vip" {
    for_each  = { eu = "192.0.2.5", us = "198.51.100.5" }
    addresses = [each.value]
    check     = check.web
  }
}
