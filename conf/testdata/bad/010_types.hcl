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
domain "a" {
  zone   = zone.shop
  types  = ["A", "SRV"]     # ERROR GS010: Invalid value
  params = { alpn = ["h2"] } # ERROR GS010: Invalid value
  answer "a" {
    addresses = ["203.0.113.1"]
    target    = "mx" # ERROR GS010: Invalid value
  }
  answer "b" {
    addresses = ["203.0.113.2"]
    port      = 80 # ERROR GS010: Invalid value
  }
}
domain "b" {
  zone  = zone.shop
  types = ["HTTPS"]
  answer "a" { addresses = ["203.0.113.1"] } # ERROR GS002: Missing argument
  answer "b" { cname = "mx" } # ERROR GS010: Invalid value
  answer "c" {
    target = "mx"
    port   = 443 # ERROR GS010: Invalid value
  }
}
domain "_sip._tcp" {
  zone  = zone.shop
  types = ["SRV"]
  answer "a" { target = "mx" } # ERROR GS002: Missing argument
  answer "b" {
    target   = "mx"
    port     = 5060
    priority = 65536 # ERROR GS010: Invalid value
  }
}
domain "c" {
  for_each = {
    hint      = { ipv4hint = "192.0.2.1" }
    twice     = { mandatory = ["alpn", "alpn"], alpn = "h2" }
    missing   = { mandatory = "port" }
    default   = { no-default-alpn = true }
    unknown   = { colour = "blue" }
    number    = { port = 70000 }
    nested    = { alpn = [["h2"]] }
    quote     = { key65333 = "a\"b" }
    null      = { port = null }
  }
  name   = each.key
  zone   = zone.shop
  types  = ["AAAA", "HTTPS"]
  params = each.value # ERROR GS010: Invalid value
  answer "a" { addresses = ["2001:db8::1"] }
}
domain "d" {
  zone   = zone.shop
  types  = ["A", "SVCB"]
  params = "alpn=h2" # ERROR GS010: Invalid value
  answer "a" { addresses = ["203.0.113.1"] }
}
