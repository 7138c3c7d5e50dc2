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
domain "www" {
  zone = zone.shop
  answer "eu" { addresses = ["203.0.113.1", "2001:db8::1"] }
  answer "us" { addresses = ["203.0.113.2"] } # WARN GS113: Address families differ
  answer "ap" { addresses = ["2001:db8::3"] }
}
domain "four" {
  zone = zone.shop
  answer "eu" { addresses = ["203.0.113.1"] }
  answer "us" { addresses = ["203.0.113.2"] }
}
