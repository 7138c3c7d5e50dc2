region "eu" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
domain "www" {
  zone   = zone.shop
  policy = policy.p
  answer "a" { addresses = ["203.0.113.1"] }
}
policy "p" { # WARN GS309: Policy without a health step
  step "rotate" {}
}
