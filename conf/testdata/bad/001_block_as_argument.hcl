region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}

farm "web" {
  network = network.edge
  server  = { address = "192.0.2.10" } # ERROR GS001: Unknown argument
  server "b" { address = "192.0.2.11" }
}
