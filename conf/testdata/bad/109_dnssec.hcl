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
zone "a" {
  name = "a.example"
  dnssec { # WARN GS020: Not available yet
    algorithm = "ECDSA256SHA256" # ERROR GS109: Invalid DNSSEC
    keys      = secret("env:KEYS")
  }
}
zone "b" {
  name = "b.example"
  dnssec { # WARN GS020: Not available yet
    algorithm = "RSASHA1-NSEC3-SHA1" # ERROR GS109: Invalid DNSSEC
    keys      = secret("env:KEYS")
  }
}
zone "e" {
  name = "e.example"
  dnssec { # WARN GS020: Not available yet
    algorithm = "RSASHA256" # WARN GS109: Costly signatures
    keys      = secret("env:KEYS")
  }
}
zone "c" {
  name   = "c.example"
  dnssec = {} # WARN GS020: Not available yet # ERROR GS109: Invalid DNSSEC
}
zone "d" {
  name   = "d.example"
  dnssec = { algorithm = "ED25519" } # WARN GS020: Not available yet # ERROR GS109: Invalid DNSSEC
}
domain "www" {
  zone = zone.e
  answer "a" { addresses = ["203.0.113.1"] }
}
