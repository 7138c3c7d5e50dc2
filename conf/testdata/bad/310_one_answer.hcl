region "eu" {}
region "us" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
domain "standard" {
  zone = zone.shop
  ttl  = "1h" # WARN GS310: One answer with a long TTL
  answer "a" { addresses = ["203.0.113.1"] }
  answer "b" { addresses = ["203.0.113.2"] }
}
domain "limited" {
  zone   = zone.shop
  ttl    = "10m" # WARN GS310: One answer with a long TTL
  policy = policy.one
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
  answer "b" { addresses = ["203.0.113.2"] }
}
domain "all" {
  zone   = zone.shop
  ttl    = "10m"
  policy = policy.all
  answer "a" { addresses = ["203.0.113.1"] }
  answer "b" { addresses = ["203.0.113.2"] }
}
policy "one" {
  step "health" {}
  step "rotate" {}
  step "limit" { answers = 1 }
}
policy "all" {
  step "health" {}
  step "rotate" {}
}
check "slow" {
  type     = "http"
  port     = 80
  interval = "1m"
}
