region "eu" {
  location = [50.11, 8.68]
  fallback = ["us"]
}
region "us" { # WARN GS313: Region without a location
  fallback = ["eu"]
}
region "office" { # gets those of its prefixes and nobody else
  prefixes = ["203.0.113.0/24"]
  fallback = ["eu"]
}
region "ap" { fallback = [] } # has no answer but the only one of its domain
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
  step "nearest" {}
}
policy "ours" {
  step "health" {}
  step "prefixes" {}
  step "nearest" {}
}
domain "work" {
  zone   = zone.shop
  policy = policy.ours
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "office" {
    region    = region.office
    addresses = ["203.0.113.4"]
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
domain "ap" {
  zone   = zone.shop
  policy = policy.near
  answer "ap" {
    region    = region.ap
    addresses = ["203.0.113.3"]
  }
}
