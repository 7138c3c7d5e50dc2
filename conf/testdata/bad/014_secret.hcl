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
variable "key" {
  default = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ" # ERROR GS014: Secret in plain text
}
locals {
  pem   = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAAAAAAAAAAAAAAAAAAAA\n-----END EC PRIVATE KEY-----\n" # ERROR GS014: Secret in plain text
  begin = "-----BEGIN"
}
zone "shop" {
  name   = "shop.example"
  dnssec { # WARN GS020: Not available yet
    algorithm = "ED25519"
    keys      = "correct horse battery staple" # ERROR GS014: Secret in plain text
  }
  record "key" {
    type = "TXT"
    data = [
      "\"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ\"",
      "PrivateKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", # ERROR GS014: Secret in plain text
    ]
  }
  record "cert" {
    type = "TXT"
    data = "\"-----BEGIN CERTIFICATE-----\""
  }
}
zone "b" {
  name = "b.example"
  dnssec { # WARN GS020: Not available yet
    algorithm = "ED25519"
    keys      = "file:/etc/gslb/dnssec" # ERROR GS010: Invalid value
  }
}
director "a" {
  network = network.edge
  address = "192.0.2.11"
  tags    = {
    copied   = local.pem # the fault is where it is written
    composed = "${var.key}"
  }
}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/25"
}
check "c" {
  type = "https"
  port = 443
  host = "shop.example"
  path = "/${local.begin} PRIVATE KEY-----\nAAAA" # ERROR GS014: Secret in plain text
}
domain "www" {
  zone = zone.shop
  answer "a" {
    addresses = ["203.0.113.1"]
    check     = check.c
  }
}
