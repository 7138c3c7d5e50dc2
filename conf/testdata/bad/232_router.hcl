# A default route by a director that is not on the farm's segment.
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/26"
}
network "other" {
  region = region.eu
  cidr   = "192.0.2.64/26"
}
director "front" {
  network = network.edge
  address = "192.0.2.10"
}
director "nat" {
  network = network.other
  address = "192.0.2.70"
}
farm "web" {
  network = network.edge # ERROR GS232: NAT farm is not behind its gateway
  gateway = director.nat
  server "a" { address = "192.0.2.20" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
