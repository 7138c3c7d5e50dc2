region "eu" {}
zone "shop" {
  name = "shop.example"
  record "@" {
    type = "CNAME" # ERROR GS102: Conflicting names
    data = "www"
  }
  record "www" {
    type = "A"
    data = "203.0.113.1"
  }
  record "alias" {
    type = "CNAME"
    data = "www"
  }
  record "alias" {
    type = "TXT" # ERROR GS102: Conflicting names
    data = "text"
  }
  record "two" {
    type = "CNAME"
    data = [
      "www",
      "alias", # ERROR GS102: Conflicting names
    ]
  }
  record "sub" {
    type = "NS"
    data = "ns.other.example."
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

domain "www" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
domain "ns1" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
domain "a.sub" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
domain "alias" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
domain "twice" {
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
domain "Twice" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.2"] }
}
