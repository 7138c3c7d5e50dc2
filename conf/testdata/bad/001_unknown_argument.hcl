region "eu" {}

network "edge" {
  region  = region.eu
  cidr    = "192.0.2.0/24"
  gatewy  = "192.0.2.1" # ERROR GS001: Unknown argument
}
director "a" {
  network = network.edge
  adress  = "192.0.2.11" # ERROR GS001: Unknown argument
}
