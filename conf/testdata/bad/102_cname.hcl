region "eu" { bias = 100 } # ERROR GS010: Invalid value
zone "shop" {
  name = "shop.example"
  record "www" {
    type = "TXT"
    data = "v=1"
  }
}
zone "cdn" { name = "cdn.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
check "web" {
  type = "tcp"
  port = 80
}
domain "@" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "cdn" { cname = "edge.cdn.example." }
}
domain "www" { # ERROR GS102: Conflicting names
  zone = zone.shop
  answer "cdn" { cname = "edge.cdn.example." }
}
domain "a" {
  zone    = zone.shop
  ttl     = "20s"
  min_ttl = "30s"              # ERROR GS115: TTL out of range
  types   = ["A", "a", "TXT"] # ERROR GS010: Invalid value # ERROR GS010: Invalid value
  answer "both" {
    cname     = "edge.cdn.example."
    addresses = ["203.0.113.1"] # ERROR GS010: Invalid value
  }
  answer "checked" {
    cname = "edge.cdn.example."
    check = check.web # ERROR GS010: Invalid value
  }
  answer "spaced" { cname = "edge cdn." }     # ERROR GS106: Invalid domain name
  answer "itself" { cname = "a" }             # ERROR GS010: Invalid value
  answer "dotless" { cname = "b.cdn.example" } # ERROR GS101: Name outside its zone
}
