region "eu" {}

region "eu" {} # ERROR GS007: Declared twice
topology "a" {}
topology "b" {} # ERROR GS007: Declared twice
locals {
  x = 1
}
locals {
  x = 2 # ERROR GS007: Declared twice
}
zone "a" { name = "a.example" }
zone "b" { name = "A.example." } # ERROR GS007: Declared twice
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
