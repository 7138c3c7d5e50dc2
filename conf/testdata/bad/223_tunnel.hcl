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
farm "no" {
  network = network.edge
  server "a" { address = "192.0.2.21" }
  server "b" {
    address = "192.0.2.22"
    tunnel  = false # ERROR GS223: Server cannot take tunnelled packets
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.front["a"]]
    method    = "tun"
    farms     = [farm.web, farm.no]
  }
}
