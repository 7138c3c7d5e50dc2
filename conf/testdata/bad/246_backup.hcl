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
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside[each.key], address = "10.10.${each.value}.1" }
}
failover "nat" {
  members = values(director.nat) # WARN GS246: Failover member cannot carry everything
  vips    = ["192.0.2.25"]
}
farm "web" {
  for_each = { a = 1, b = 2 }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each   = range(15)
    address    = "10.10.${parent.value}.${10 + each.value}"
    throughput = "400KB/s"
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.25"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.nat] # ERROR GS020: Not available yet
    method    = "nat"
    farms     = values(farm.web)
  }
}
