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
failover "front" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5"]
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [failover.front]
    method    = "dr"
  }
  tier "again" {
    directors = [director.front["b"]] # ERROR GS241: Tier with the wrong members
    method    = "dr"
    farms     = [farm.web]
  }
}
