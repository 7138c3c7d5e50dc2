region "eu" {}
network "edge" {
  for_each = { a = "192.0.2.0/25", b = "192.0.2.128/25" }
  region   = region.eu
  cidr     = each.value
}
director "front" {
  for_each = { a = "192.0.2.11", b = "192.0.2.131" }
  network  = network.edge[each.key]
  address  = each.value
}
failover "front" {
  members = values(director.front) # ERROR GS201: Failover members on different segments
  vips    = ["192.0.2.5"]
}
farm "web" {
  network = network.edge["a"]
  server "a" { address = "192.0.2.20" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr" # follows from GS201: one member has no servers on its segment
    farms     = [farm.web]
  }
}
