region "eu" {
  location = [50.11, 8.68]
  prefixes = ["203.0.113.0/24"]
  asns     = [64496]
  fallback = ["us"]
}
region "us" {
  location = [39.04, -77.49]
  fallback = ["eu"]
}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
policy "near" { # clients of prefixes are served, nobody else is known
  step "health" {}
  step "prefixes" {}
  step "geo" {} # WARN GS306: Nothing says where clients are
  step "asn" {} # WARN GS306: Nothing says where clients are
  step "nearest" {} # WARN GS306: Nothing says where clients are
}
policy "alone" { # geo goes by prefixes too
  step "health" {}
  step "geo" {}
}
domain "www" {
  zone   = zone.shop
  policy = policy.near
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.2"]
  }
}
domain "api" {
  zone   = zone.shop
  policy = policy.alone
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.2"]
  }
}
