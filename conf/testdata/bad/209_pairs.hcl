region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
failover "one" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5", "192.0.2.6"]
}
failover "two" {
  members = [director.front["c"], director.front["d"]]
  vips = [
    "192.0.2.5", # ERROR GS209: VIP has two owners
    "192.0.2.6", # in two places on purpose
  ]
}
virtual_service "www" {
  for_each = { one = failover.one, two = failover.two }
  region   = region.eu
  vip      = "192.0.2.5"
  ports    = each.key == "one" ? ["tcp/80"] : ["tcp/443"]
  tier "dr" {
    directors = [each.value]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "any" {
  for_each = { one = failover.one, two = failover.two }
  region   = region.eu
  vip      = "192.0.2.6"
  ports    = ["tcp/80"]
  anycast  = true # WARN GS020: Not available yet
  tier "dr" {
    directors = [each.value]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "member" {
  region = region.eu
  vip    = "192.0.2.5" # ERROR GS209: VIP has two owners
  ports  = ["tcp/8080"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.web]
  }
}
