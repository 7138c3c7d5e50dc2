region "eu" {
  continents = ["EU"]
  fallback   = ["us"]
}
region "us" {
  continents = ["NA"]
  fallback   = ["eu"]
}
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
  step "geo" {}
}
domain "www" {
  zone   = zone.shop
  policy = policy.near
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "us" { # WARN GS314: Answer without a region
    addresses = ["203.0.113.2"]
  }
}
domain "one" {
  zone   = zone.shop
  policy = policy.near
  answer "us" { addresses = ["203.0.113.2"] }
}
domain "any" { # by the default policy
  zone = zone.shop
  answer "eu" { addresses = ["203.0.113.1"] }
  answer "us" { addresses = ["203.0.113.2"] }
}
