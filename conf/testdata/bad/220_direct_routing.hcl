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
  for_each = { a = 12, b = 13 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
network "far" {
  region = region.eu
  cidr   = "198.51.100.0/24"
}
director "nat" {
  network = network.far
  address = "198.51.100.11"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
farm "web" {
  network = network.inside
  gateway = director.nat
  server "a" { address = "10.10.1.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front["a"]]
    method    = "dr" # ERROR GS220: Direct routing cannot reach the next tier
  }
  tier "nat" {
    directors = [director.nat] # WARN GS238: Single NAT director
    method    = "nat"
    farms     = [farm.web]
  }
}
