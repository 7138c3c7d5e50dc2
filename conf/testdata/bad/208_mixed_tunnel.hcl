region "eu" {}
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
network "six" {
  region = region.eu
  cidr   = "2001:db8:1::/64"
}
director "front" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8::11"]
}
farm "six" {
  network = network.six
  server "a" { address = "2001:db8:1::20" }
}
virtual_service "plain" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.front]
    method    = "tun"
    farms     = [farm.six]
  }
}
virtual_service "wrapped" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.front]
    method    = "tun"
    encap     = "gue" # WARN GS020: Not available yet
    farms     = [farm.six]
  }
}
director "pair" {
  for_each = { a = "21", b = "22" }
  network  = network.edge
  address  = ["192.0.2.${each.value}", "2001:db8::${each.value}"]
}
failover "pair" {
  members = values(director.pair)
  vips    = ["192.0.2.7"]
  sync    = { id = 7 }
}
virtual_service "copied" {
  region = region.eu
  vip    = "192.0.2.7" # ERROR GS208: Tier cannot carry this address family
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [failover.pair]
    method    = "tun"
    encap     = "gue" # WARN GS020: Not available yet
    farms     = [farm.six]
  }
}
network "four" {
  region = region.eu
  cidr   = "198.51.100.0/24"
}
director "four" {
  network = network.four
  address = "198.51.100.11"
}
virtual_service "unreached" {
  region = region.eu
  vip    = "198.51.100.5" # ERROR GS208: Tier cannot carry this address family
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.four]
    method    = "tun"
    farms     = [farm.six]
  }
}
virtual_service "beside" {
  region = region.eu
  vip    = "192.0.2.8" # ERROR GS208: Tier cannot carry this address family
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.pair["a"]] # which copies the connections of all its services
    method    = "tun"
    farms     = [farm.six]
  }
}
