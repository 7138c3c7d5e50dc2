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
zone "shop" {
  name = "shop.example"
  record "*" {
    type = "A"
    data = "203.0.113.9"
  }
  record "*.there" {
    type = "A"
    data = "203.0.113.9"
  }
}
domain "www" { # the wildcard answers for every other name
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "www.far.off" { # WARN GS111: Wildcard and domain meet
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "www.there" { # has a wildcard of its own
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "six" { # WARN GS111: Wildcard and domain meet
  zone = zone.shop
  answer "a" { addresses = ["2001:db8::1"] }
}
domain "all" {
  zone = zone.shop
  name = "*" # WARN GS020: Not available yet # ERROR GS111: Wildcard and domain meet
  answer "a" { addresses = ["203.0.113.1"] }
}
