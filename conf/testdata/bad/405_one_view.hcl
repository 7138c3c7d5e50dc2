region "eu" {}
region "us" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu # WARN GS405: All vantage points in one region
  addresses = ["198.51.100.53"]
}
check "web" {
  type = "http"
  port = 80
}
domain "www" {
  zone = zone.shop
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
    check     = check.web
  }
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.2"]
    check     = check.web
  }
}
