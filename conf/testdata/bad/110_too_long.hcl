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
zone "shop" {
  name = "shop.example"
  record "many" { # 46 bytes, and 75 times 16
    type = "A"
    data = [for i in range(75) : "203.0.113.${i + 1}"] # WARN GS110: Answer does not fit a packet
  }
  record "text" {
    type = "TXT"
    data = [for i in range(6) : "\"${i} ${join("", [for j in range(20) : "0123456789"])}\""] # WARN GS110: Answer does not fit a packet
  }
  record "fits" { # 46 bytes, and 74 times 16: 1230
    type = "A"
    data = [for i in range(74) : "203.0.113.${i + 1}"]
  }
  record "@" { # names are compressed
    type = "MX"
    data = [for i in range(50) : "10 mail${i}"]
  }
}
locals {
  farm = [for i in range(40) : "203.0.113.${i + 1}"]
  more = [for i in range(40) : "198.51.100.${i + 101}"]
}
domain "www" {
  zone   = zone.shop
  policy = policy.two
  answer "a" { addresses = local.farm }
  answer "b" { addresses = local.more }
}
policy "two" {
  step "health" {}
  step "rotate" {}
  step "limit" {
    answers = 2 # WARN GS110: Answer does not fit a packet
  }
}
domain "one" {
  zone = zone.shop
  answer "a" { addresses = local.farm }
  answer "b" { addresses = local.more }
}
domain "six" {
  zone   = zone.shop
  policy = policy.all # WARN GS110: Answer does not fit a packet
  answer "a" { addresses = [for i in range(45) : "2001:db8::${i + 1}"] }
}
policy "all" {
  step "health" {}
}
domain "_many._tcp" { # WARN GS110: Answer does not fit a packet
  zone  = zone.shop
  types = ["SRV"]
  answer "a" {
    for_each = range(30)
    target   = "a-rather-long-name-${each.value}.example.net."
    port     = 5060
  }
}
