# A pair rewrites what one of its members can.
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
  vips    = ["192.0.2.25"]
  inside  = { network = network.inside, address = "10.10.1.254" }
}
farm "web" {
  network = network.inside
  gateway = failover.nat
  server "web" {
    for_each   = range(30)
    address    = "10.10.1.${10 + each.value}"
    throughput = "400KB/s"
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.25"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.nat]
    method    = "nat" # WARN GS231: NAT director will be the bottleneck
    farms     = [farm.web]
  }
}
