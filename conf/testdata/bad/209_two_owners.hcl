region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${10 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
director "front" {
  network = network.edge
  address = "192.0.2.21"
}
farm "web" {
  for_each = director.nat
  network  = network.inside
  gateway  = each.value
  server "s" { address = each.key == "a" ? "10.10.1.10" : "10.10.1.20" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat["a"]]
    method    = "nat"
    farms     = [farm.web["a"]]
  }
}
virtual_service "same" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/443"]
  tier "nat" {
    directors = [director.nat["a"]]
    method    = "nat"
    farms     = [farm.web["a"]]
  }
}
virtual_service "other" {
  region = region.eu
  vip    = "192.0.2.5" # ERROR GS209: VIP has two owners
  ports  = ["tcp/8080"]
  tier "nat" {
    directors = [director.nat["b"]]
    method    = "nat"
    farms     = [farm.web["b"]]
  }
}
virtual_service "behind" { # director.nat["a"] would have the VIP twice
  region = region.eu
  vip    = "192.0.2.5" # ERROR GS209: VIP has two owners
  ports  = ["udp/80"]
  tier "front" {
    directors = [director.front]
    method    = "dr"
  }
  tier "nat" {
    directors = [director.nat["a"]] # WARN GS238: Single NAT director
    method    = "nat"
    farms     = [farm.web["a"]]
  }
}
virtual_service "explained" {
  region = region.eu
  vip    = "192.0.2.5" # ERROR GS210: Two services on one address and port
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat["b"]]
    method    = "nat"
    farms     = [farm.web["b"]]
  }
}
virtual_service "shared" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/81"]
  tier "front" {
    directors = values(director.nat) # ERROR GS211: Nothing owns the VIP
    method    = "nat"
    farms     = values(farm.web)
  }
}
