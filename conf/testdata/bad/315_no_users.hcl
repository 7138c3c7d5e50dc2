region "eu" { fallback = ["us"] }
region "us" { fallback = ["eu"] }
geoip {
  city = "/var/lib/gslb/city.mmdb"
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
policy "near" {
  step "health" {}
  step "prefixes" {} # WARN GS315: No region claims users
  step "geo" {} # WARN GS315: No region claims users
  step "asn" {} # WARN GS315: No region claims users
}
policy "default" { # for clients of no prefix, who are all
  step "health" {}
  step "prefixes" {
    default = region.us
  }
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
  policy = policy.default
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.2"]
  }
}
