region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  for_each = { a = 1, b = 2 }
  region   = region.eu
  cidr     = "10.10.${each.value}.0/24"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside[each.key], address = "10.10.${each.value}.1" }
}
director "one" {
  for_each = range(2)
  network  = network.edge
  address  = "192.0.2.${30 + each.value}"
}
failover "nat" {
  members = values(director.nat)
  vips    = ["192.0.2.5"]
  inside = {
    network = network.inside["a"] # ERROR GS201: Failover members on different segments
    address = "10.10.1.254"
  }
}
failover "one" {
  members = director.one
  vips    = ["192.0.2.6"]
  inside = {
    network = network.edge # ERROR GS201: Failover members on different segments
    address = "192.0.2.254"
  }
}
farm "web" {
  network = network.inside["a"]
  gateway = failover.nat
  server "a" { address = "10.10.1.10" }
}
farm "one" {
  network = network.edge
  gateway = failover.one
  server "a" { address = "192.0.2.40" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
virtual_service "one" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.one]
    method    = "nat"
    farms     = [farm.one]
  }
}
