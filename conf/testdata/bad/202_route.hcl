region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/25"
}
network "other" {
  region = region.eu
  cidr   = "192.0.2.128/25"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
farm "next" {
  network = network.other
  server "a" { address = "192.0.2.140" }
}
virtual_service "routed" {
  region = region.eu
  vip    = "198.51.100.5" # WARN GS202: VIP needs a route
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "elsewhere" {
  region = region.eu
  vip    = "192.0.2.135" # WARN GS202: VIP needs a route
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.front]
    method    = "tun"
    farms     = [farm.next]
  }
}
