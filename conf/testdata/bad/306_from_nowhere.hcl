region "eu" {
  continents = ["EU"]
  fallback   = ["us"]
}
region "us" {
  continents = ["NA"]
  fallback   = ["eu"]
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
  step "geo" {} # WARN GS306: Nothing says where clients are
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
