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
  members = [director.front["a"]] # ERROR GS252: Failover pair with the wrong members
  vips    = ["192.0.2.5"]
}
failover "two" {
  members = [
    director.front["c"],
    director.front["c"], # ERROR GS252: Failover pair with the wrong members
  ]
  vips = ["192.0.2.6"]
}
virtual_service "www" {
  for_each = { one = 5, two = 6 }
  region   = region.eu
  vip      = "192.0.2.${each.value}"
  ports    = ["tcp/80"]
  tier "dr" {
    directors = [each.key == "one" ? failover.one : failover.two]
    method    = "dr"
    farms     = [farm.web]
  }
}
failover "nobody" {
  members = [] # ERROR GS252: Failover pair with the wrong members
  vips    = ["192.0.2.7"] # WARN GS212: Nothing listens on the address
}
