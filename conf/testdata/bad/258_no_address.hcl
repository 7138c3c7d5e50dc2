region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
failover "nat" {
  members = values(director.nat)
  vips    = ["192.0.2.5"] # ERROR GS209: VIP has two owners
  inside  = { network = network.inside, address = "10.10.1.254" }
}
failover "neither" { # ERROR GS002: Missing argument
  members = values(director.nat)
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
    directors = [director.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [failover.nat] # ERROR GS258: Failover pair without an address
    method    = "nat"
    farms     = [farm.web]
  }
}
