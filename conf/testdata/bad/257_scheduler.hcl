region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
failover "front" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5", "192.0.2.6"]
  vrrp    = { id = 51, advert = "500ms", preempt = false }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr"
    scheduler = "wlc" # WARN GS257: Connections break at a take-over
    farms     = [farm.web]
  }
}
virtual_service "well" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
