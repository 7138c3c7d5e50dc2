# Descriptions that are right and change nothing yet.
topology "t" {
  schema     = 1
  max_remove = "25%"
}
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
  mtu     = 9000 # WARN GS021: Without effect yet
}
