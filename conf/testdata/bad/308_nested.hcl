region "eu" {}
region "us" {
  prefixes = ["198.51.100.0/24"]
  asns     = [64496]
}
geoip { city = "/var/lib/gslb/city.mmdb" }
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.54"]
}
policy "few" { # no health step of its own: another has it
  step "limit" { answers = 2 }
}
policy "a" {
  step "health" {}
  step "policy" { # ERROR GS308: Steps in the wrong order
    policy = policy.few
  }
  step "weight" {}
}
policy "b" {
  step "health" {}
  step "nearest" {} # ERROR GS308: Steps in the wrong order
  step "prefixes" {}
}
policy "c" {
  step "health" {
    fail_open = false # ERROR GS010: Invalid value
    fail_to   = region.eu
  }
  step "failover" {} # ERROR GS308: Steps in the wrong order
  step "asn" {}
}
policy "d" {
  step "health" { policy = policy.few }  # ERROR GS307: Argument of another step
  step "geo" { fail_to = region.eu } # ERROR GS307: Argument of another step
}
domain "www" {
  for_each = { a = policy.a, b = policy.b, c = policy.c, d = policy.d }
  name     = each.key
  zone     = zone.shop
  policy   = each.value
  answer "a" { addresses = ["203.0.113.1"] }
}
