region "eu" {}
region "us" {}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
zone "own" {
  name = "own.example"
  soa  = { negative_ttl = "5m" } # WARN GS108: Negative answers outlive steered ones
}
zone "default" { name = "default.example" }
domain "long" {
  zone = zone.own
  ttl  = "1m"
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "short" {
  zone = zone.own
  ttl  = "20s"
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "open" { # always has an answer
  zone = zone.default
  ttl  = "10s"
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "closed" {
  zone   = zone.default
  ttl    = "10s" # WARN GS108: Negative answers outlive steered ones
  policy = policy.closed
  answer "a" { addresses = ["203.0.113.1"] }
}
policy "closed" {
  step "health" { fail_open = false }
}
