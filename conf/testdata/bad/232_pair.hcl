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
  for_each = { a = 1, b = 2, c = 3, d = 4 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside["a"], address = "10.10.1.${each.value}" }
}
failover "without" {
  members = [director.nat["a"], director.nat["b"]]
  vips    = ["192.0.2.5"]
}
failover "beside" {
  members = [director.nat["c"], director.nat["d"]]
  vips    = ["192.0.2.6"]
  inside  = { network = network.inside["a"], address = "10.10.1.254" }
}
farm "web" {
  network = network.inside["a"] # ERROR GS232: NAT farm is not behind its gateway
  gateway = failover.without
  server "a" { address = "10.10.1.10" }
}
farm "far" {
  network = network.inside["b"] # ERROR GS232: NAT farm is not behind its gateway
  gateway = failover.beside
  server "a" { address = "10.10.2.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.without]
    method    = "nat"
    farms     = [farm.web]
  }
}
virtual_service "far" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [failover.beside]
    method    = "nat"
    farms     = [farm.far]
  }
}
