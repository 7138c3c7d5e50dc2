region "eu" { location = [50.11, 8.68] }
region "us" { location = [39.04, -77.49] }
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
check "quick" {
  type    = "https"
  port    = 443
  host    = "www.shop.example"
  timeout = "300ms" # WARN GS411: Timeout is below the round trip
}
check "connect" { # a round trip takes 114ms
  type    = "tcp"
  port    = 80
  timeout = "120ms"
}
domain "www" {
  zone = zone.shop
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.1"]
    check     = check.quick
  }
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.2"]
    check     = check.connect
  }
}
