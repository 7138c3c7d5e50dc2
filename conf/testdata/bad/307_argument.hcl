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
policy "p" {
  step "health" { answers = 2 } # ERROR GS307: Argument of another step
  step "limit" { fail_open = true } # ERROR GS307: Argument of another step
}
