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
farm "both" {
  network = network.edge
  server "a" { address = "192.0.2.11" } # ERROR GS226: Director as its own real server
  server "b" { address = "192.0.2.12" } # ERROR GS206: Address used twice
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.both]
  }
}
