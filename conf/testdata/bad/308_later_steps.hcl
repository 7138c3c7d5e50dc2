region "eu" { prefixes = ["203.0.113.0/24"] }
region "us" {}
geoip { city = "/var/lib/gslb/city.mmdb" }
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
policy "a" {
  step "geo" {} # ERROR GS308: Steps in the wrong order
  step "health" {}
}
policy "b" {
  step "health" {}
  step "limit" {} # ERROR GS308: Steps in the wrong order
  step "prefixes" {
    default = region.eu
  }
}
policy "c" {
  step "health" {}
  step "rotate" {} # ERROR GS308: Steps in the wrong order
  step "nearest" {
    default = region.eu # ERROR GS307: Argument of another step
  }
}
policy "d" { # WARN GS309: Policy without a health step
  step "sticky" {}
  step "capacity" {} # WARN GS020: Not available yet
}
domain "www" {
  for_each = { a = policy.a, b = policy.b, c = policy.c, d = policy.d }
  name     = each.key
  zone     = zone.shop
  policy   = each.value
  answer "a" { addresses = ["203.0.113.1"] }
}
