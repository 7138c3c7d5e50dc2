region "eu" {}
network "edge" {
  region  = region.eu
  cidr    = "192.0.2.0/24"
  gateway = "192.0.2.1"
}
nameserver "a" {
  region    = region.eu
  addresses = ["192.0.2.1"] # ERROR GS206: Address used twice
}
director "a" {
  network = network.edge
  address = "192.0.2.11"
}
director "b" {
  network = network.edge
  address = "192.0.2.11" # ERROR GS206: Address used twice
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.12" }
  server "b" { address = "192.0.2.12" } # ERROR GS206: Address used twice
}
