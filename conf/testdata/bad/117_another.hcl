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
  record "smtp" {
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
domain "@" {
  zone  = zone.shop
  types = ["MX"]
  answer "a" {
    target    = "mx"
    addresses = ["192.0.2.26"] # WARN GS117: Another host is checked
    check     = check.smtp
  }
  answer "b" {
    target    = "mx"
    addresses = ["192.0.2.25"]
    check     = check.smtp
  }
  answer "c" {
    target    = "mx"
    addresses = ["192.0.2.27"]
  }
}
