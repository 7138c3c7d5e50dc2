region "eu" {}
network "edge" {
  for_each = { a = "192.0.2.0/25", b = "192.0.2.128/25" }
  region   = region.eu
  cidr     = each.value
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "front" {
  for_each = { a = "192.0.2.11", b = "192.0.2.12" }
  network  = network.edge["a"]
  address  = each.value
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge["b"]
  address  = "192.0.2.${130 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5"]
}
failover "nat" {
  members = values(director.nat)
  address = "192.0.2.130"
  inside  = { network = network.inside, address = "10.10.1.254" }
}
farm "web" {
  network = network.inside
  gateway = failover.nat
  server "a" { address = "10.10.1.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [failover.front]
    method    = "dr" # ERROR GS220: Direct routing cannot reach the next tier
  }
  tier "nat" {
    directors = [failover.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
