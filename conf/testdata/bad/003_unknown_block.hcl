region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}

directr "nat" { # ERROR GS003: Unknown block
  network = network.edge
  address = "192.0.2.11"
}
farm "web" {
  network = network.edge
  gateway = director.nat
  servr "a" { address = "192.0.2.12" } # ERROR GS003: Unknown block
}
pool "x" {} # ERROR GS003: Unknown block
