region "eu" {}
region "us" {}
zone "shop" {
  name = "shop.example"
  record "mx" {
    type = "A"
    data = "192.0.2.25"
  }
  record "text" {
    type = "TXT"
    data = "v=1"
  }
  record "alias" {
    type = "CNAME"
    data = "mx"
  }
  record "below" {
    type = "NS"
    data = "ns.example.net."
  }
  record "*.any" {
    type = "A"
    data = "192.0.2.26"
  }
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.54"]
}
check "smtp" {
  type = "tcp"
  port = 25
}
domain "mail" {
  name  = "@"
  zone  = zone.shop
  types = ["MX"]
  answer "a" { target = "mx" }
}
domain "web" {
  name  = "@"
  zone  = zone.shop
  types = ["A", "HTTPS"]
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "again" {
  name  = "@" # ERROR GS102: Conflicting names
  zone  = zone.shop
  types = ["AAAA", "HTTPS"]
  answer "a" { addresses = ["2001:db8::1"] }
}
domain "www" {
  zone = zone.shop
  answer "a" { cname = "cdn.example.net." }
}
domain "binding" {
  name  = "www" # ERROR GS102: Conflicting names
  zone  = zone.shop
  types = ["HTTPS"]
  answer "a" { target = "mx" }
}
domain "text" { # AAAA beside a static A
  zone  = zone.shop
  types = ["AAAA"]
  answer "a" { addresses = ["2001:db8::1", "203.0.113.1"] }
}
domain "mx" { # ERROR GS102: Conflicting names
  zone  = zone.shop
  types = ["A"]
  answer "a" { addresses = ["203.0.113.1"] }
}
