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
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
failover "nat" {
  members = values(director.nat)
  vips    = ["192.0.2.5"]
  inside  = { network = network.inside, address = "10.10.1.254" }
}
farm "member" {
  network = network.inside
  gateway = director.nat["a"] # ERROR GS237: Farm's gateway is not a director of the tier
  server "a" { address = "10.10.1.10" }
}
farm "pair" {
  network = network.inside
  gateway = failover.nat # ERROR GS237: Farm's gateway is not a director of the tier
  server "a" { address = "10.10.1.11" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.nat]
    method    = "nat"
    farms     = [farm.member]
  }
}
virtual_service "alone" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat["a"]]
    method    = "nat"
    farms     = [farm.pair]
  }
}
