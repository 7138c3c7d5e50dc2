region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  for_each = { a = 1, b = 2 }
  region   = region.eu
  cidr     = "10.10.${each.value}.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  network = network.edge
  address = "192.0.2.21"
  inside  = { network = network.inside["a"], address = "10.10.1.1" }
}
farm "web" {
  network = network.inside["a"]
  gateway = director.nat
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
    directors = [director.nat] # WARN GS238: Single NAT director
    method    = "nat"
    farms     = [farm.web]
  }
}
