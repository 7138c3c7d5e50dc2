region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}

director "a" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.1.1" }
  inside { # ERROR GS007: Declared twice
    network = network.inside
    address = "10.10.1.2"
  }
}
