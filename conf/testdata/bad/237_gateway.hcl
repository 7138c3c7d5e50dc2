region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "nat" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
farm "web" {
  network = network.inside
  gateway = director.other # ERROR GS237: Farm's gateway is not a director of the tier
  server "a" { address = "10.10.1.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
director "other" {
  network = network.edge
  address = "192.0.2.14"
  inside  = { network = network.inside, address = "10.10.1.2" }
}
