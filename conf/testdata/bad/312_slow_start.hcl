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
check "slow" {
  type       = "http"
  port       = 80
  slow_start = "30s"
}
check "fast" {
  type = "http"
  port = 80
}
domain "www" {
  zone   = zone.shop
  policy = policy.turns # WARN GS312: Slow start without weights
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
  answer "b" {
    addresses = ["203.0.113.2"]
    check     = check.slow
  }
}
domain "weighed" {
  zone   = zone.shop
  policy = policy.weighs
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
}
domain "kept" {
  zone   = zone.shop
  policy = policy.keeps
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
}
domain "standard" {
  zone = zone.shop
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
}
domain "quick" {
  zone   = zone.shop
  policy = policy.turns
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.fast
  }
}
policy "turns" {
  step "health" {}
  step "rotate" {}
}
policy "weighs" {
  step "policy" { policy = policy.heavy }
}
policy "heavy" {
  step "health" {}
  step "weight" {}
}
policy "keeps" {
  step "health" {}
  step "sticky" {}
}
