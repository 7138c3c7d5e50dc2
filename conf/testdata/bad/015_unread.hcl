# Files that are read on the nodes and are not on this machine.
# unread /var/lib/gslb/city.mmdb: no such file
# unread /etc/gslb/dnssec: permission denied
geoip {
  city = "/var/lib/gslb/city.mmdb" # WARN GS015: File is not readable here
  asn  = "/var/lib/gslb/asn.mmdb"
}
region "eu" {}
region "us" {}
zone "shop" {
  name = "g.shop.example"
  dnssec = { # WARN GS020: Not available yet
    algorithm = "ED25519"
    keys      = secret("file:/etc/gslb/dnssec") # WARN GS015: File is not readable here
  }
}
nameserver "eu" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "us" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
locals {
  text = file("nothing.txt") # ERROR GS017: Invalid expression
}
