region "eu" {}

zone "shop" { name = "shop..example" } # ERROR GS106: Invalid domain name
zone "root" { name = "." } # ERROR GS106: Invalid domain name
zone "good" { name = "good.example" }
nameserver "ns_1" { # ERROR GS106: Invalid domain name
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
domain "w w w" { # ERROR GS106: Invalid domain name
  zone = zone.good
  answer "a" { addresses = ["203.0.113.1"] }
}
domain "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" { # ERROR GS106: Invalid domain name
  zone = zone.good
  answer "a" { addresses = ["203.0.113.1"] }
}
