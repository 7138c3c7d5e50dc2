region "eu" {}
region "us" {}
zone "shop" {
  name = "shop.example"
  record "mx" {
    type = "A"
    data = "192.0.2.25"
  }
  record "text" {
    type = "TXT"
    data = "v=1"
  }
  record "alias" {
    type = "CNAME"
    data = "mx"
  }
  record "below" {
    type = "NS"
    data = "ns.example.net."
  }
  record "*.any" {
    type = "A"
    data = "192.0.2.26"
  }
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.54"]
}
check "smtp" {
  type = "tcp"
  port = 25
}
domain "@" {
  zone  = zone.shop
  types = ["MX"]
  answer "a" {
    target = "mx"
    check  = check.smtp # ERROR GS010: Invalid value
  }
  answer "b" { target = "mx-b" } # ERROR GS116: Target without addresses
  answer "c" { target = "alias" } # ERROR GS116: Target without addresses
  answer "d" { target = "text" } # ERROR GS116: Target without addresses
  answer "e" { target = "moved" } # ERROR GS116: Target without addresses
  answer "f" { target = "ns1.shop.example." }
  answer "g" { target = "mx.below" }
  answer "h" { target = "mx.any" }
  answer "i" { target = "mx.example.net." }
  answer "j" { target = "www" }
  answer "k" { target = "_mx" } # ERROR GS106: Invalid domain name
}
domain "www" {
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "moved" {
  zone = zone.shop
  answer "a" { cname = "cdn.example.net." }
}
domain "_svc" {
  zone  = zone.shop
  types = ["SVCB"]
  answer "a" { target = "alias" }
  answer "b" { target = "nothing" } # ERROR GS116: Target without addresses
  answer "c" {
    target   = "_svc" # ERROR GS010: Invalid value
    priority = 0
  }
}
