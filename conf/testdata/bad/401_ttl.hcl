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
check "web" {
  type = "http"
  port = 80
}
check "slow" {
  type     = "http"
  port     = 80
  interval = "1m"
}
domain "www" {
  zone = zone.shop
  ttl  = "10m" # WARN GS401: TTL dominates failover time
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.web
  }
  answer "b" { addresses = ["203.0.113.2"] }
}
domain "quick" { # 1m10s is not above ten times 7s
  zone = zone.shop
  ttl  = "1m10s"
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.web
  }
  answer "b" { addresses = ["203.0.113.2"] }
}
domain "one" { # has no other place
  zone = zone.shop
  ttl  = "1h"
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.web
  }
}
domain "slow" { # takes 3m1s to notice
  zone   = zone.shop
  ttl    = "10m"
  policy = policy.two
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.slow
  }
  answer "b" { addresses = ["203.0.113.2"] }
}
policy "two" {
  step "health" {}
  step "rotate" {}
  step "limit" { answers = 2 }
}
