# What moves within a pair is nobody's own.
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region  = region.eu
  cidr    = "10.10.1.0/24"
  gateway = "10.10.1.254" # the pair's: the segment has no other router
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  for_each = { a = 1, b = 2, c = 3, d = 4 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
failover "good" {
  members = [director.nat["a"], director.nat["b"]]
  address = "192.0.2.20"
  inside  = { network = network.inside, address = "10.10.1.254" }
}
failover "bad" {
  members = [director.nat["c"], director.nat["d"]]
  vips    = ["192.0.2.6"]
  address = "192.0.2.21" # ERROR GS206: Address used twice
  inside = {
    network = network.inside
    address = "10.10.2.254" # ERROR GS205: Address does not fit its network
  }
}
farm "web" {
  network = network.inside
  gateway = failover.good
  server "a" { address = "10.10.1.10" }
}
farm "bad" {
  network = network.inside
  gateway = failover.bad
  server "a" { address = "10.10.1.11" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [failover.good]
    method    = "nat"
    farms     = [farm.web]
  }
}
virtual_service "bad" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.bad]
    method    = "nat"
    farms     = [farm.bad]
  }
}
virtual_service "taken" {
  region = region.eu
  vip    = "192.0.2.20" # ERROR GS203: VIP is the address of a node
  ports  = ["tcp/81"]
  tier "front" {
    directors = [director.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [failover.good]
    method    = "nat"
    farms     = [farm.web]
  }
}
