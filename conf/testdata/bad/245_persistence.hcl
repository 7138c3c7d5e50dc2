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
virtual_service "plain" {
  region      = region.eu
  vip         = "192.0.2.5"
  ports       = ["tcp/80"]
  persistence = { timeout = "5m" } # WARN GS245: Persistence that may surprise
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "long" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.web]
    persistence {
      timeout = "1d" # WARN GS245: Persistence that may surprise
      netmask = 24
    }
  }
}
virtual_service "mask" {
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  persistence {
    timeout = "5m"
    netmask = 64 # ERROR GS010: Invalid value
  }
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.web]
  }
}
virtual_service "six" {
  region = region.eu
  vip    = "2001:db8::7"
  ports  = ["tcp/80"]
  persistence {
    netmask = 24 # ERROR GS010: Invalid value
  }
  tier "tun" {
    directors = [director.six]
    method    = "tun"
    farms     = [farm.six]
  }
}
network "six" {
  region = region.eu
  cidr   = "2001:db8::/64"
}
director "six" {
  network = network.six
  address = "2001:db8::11"
}
farm "six" {
  network = network.six
  server "a" { address = "2001:db8::20" }
}
