region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}

director "a" {
  network  = network.edge
  address  = "192.0.2.11"
  capacity = { mean_packet = 536, packet_kost = "60us" } # ERROR GS001: Unknown argument
}
