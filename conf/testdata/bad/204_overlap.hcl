region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "other" {
  region = region.eu
  cidr   = "192.0.2.128/25" # ERROR GS204: Overlapping networks
}
