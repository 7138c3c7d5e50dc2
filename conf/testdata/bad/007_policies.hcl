region "eu" {}
region "us" { prefixes = ["198.51.100.0/24"] }
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.54"]
}
policy "map" {
  step "prefixes" {}
}
policy "drawn" {
  step "weight" {}
}
policy "global" {
  step "health" {}
  step "policy" { policy = policy.map }
  step "policy" { policy = policy.drawn } # several are well as long as they differ
  step "policy" {
    policy = policy.map # ERROR GS007: Declared twice
  }
  step "rotate" {}
  step "rotate" {} # ERROR GS007: Declared twice
}
domain "www" {
  zone   = zone.shop
  policy = policy.global
  answer "a" { addresses = ["203.0.113.1"] }
}
