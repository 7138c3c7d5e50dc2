region "eu" {}
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
director "front" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8::11"]
}
farm "web" {
  network = network.edge
  server "a" { address = ["192.0.2.20", "2001:db8::20"] }
}
virtual_service "loop" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  sorry  = "127.0.0.1" # ERROR GS010: Invalid value
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "port" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  sorry  = "192.0.2.30:8080" # ERROR GS222: Method cannot change the port
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "family" {
  region = region.eu
  vip    = ["192.0.2.7", "2001:db8::7"]
  ports  = ["tcp/80"]
  sorry  = "192.0.2.30" # ERROR GS208: Tier cannot carry this address family
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "itself" {
  region = region.eu
  vip    = "192.0.2.8"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
    sorry     = "192.0.2.11" # ERROR GS226: Director as its own real server
  }
}
virtual_service "far" {
  region = region.eu
  vip    = "192.0.2.9"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
    sorry     = "198.51.100.30" # ERROR GS220: Direct routing cannot reach the next tier
  }
}
virtual_service "probes" {
  region = region.eu
  vip    = "192.0.2.10"
  ports  = ["tcp/80"]
  fwmark = 1196621825 # ERROR GS010: Invalid value
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "one" {
  region = region.eu
  vip    = "192.0.2.12"
  ports  = ["tcp/80"]
  fwmark = 7
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "two" {
  region = region.eu
  vip    = "192.0.2.13"
  ports  = ["tcp/80"]
  fwmark = 7 # ERROR GS210: Two services on one address and port
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
