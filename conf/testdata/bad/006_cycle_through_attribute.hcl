region "eu" {}

network "a" {
  region = region.eu
  cidr   = cidrsubnet(network.b.cidr, 1, 0) # ERROR GS006: Reference cycle
}
network "b" {
  region = region.eu
  cidr   = cidrsubnet(network.a.cidr, 1, 0)
}
