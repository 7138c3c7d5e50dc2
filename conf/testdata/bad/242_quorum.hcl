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
farm "four" {
  network = network.edge
  server "s" {
    for_each = range(4)
    address  = cidrhost("192.0.2.0/24", 30 + each.value)
  }
}
virtual_service "many" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  quorum {
    min_up = 5 # ERROR GS242: Quorum that cannot work
  }
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.four]
  }
}
virtual_service "more" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  quorum {
    min_up  = "50%"
    restore = "120%" # ERROR GS242: Quorum that cannot work
  }
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.four]
  }
}
virtual_service "inverted" {
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.four]
    quorum {
      min_up  = 3
      restore = "50%" # ERROR GS242: Quorum that cannot work
    }
  }
}
virtual_service "low" {
  region = region.eu
  vip    = "192.0.2.8"
  ports  = ["tcp/80"]
  quorum {
    min_up  = 1 # WARN GS242: Low quorum
    restore = 2
  }
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.four]
  }
}
virtual_service "percent" {
  region = region.eu
  vip    = "192.0.2.9"
  ports  = ["tcp/80"]
  quorum {
    min_up  = "60%"
    restore = "50%" # ERROR GS242: Quorum that cannot work
  }
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    farms     = [farm.four]
  }
}
network "in" {
  for_each = { a = 1, b = 2 }
  region   = region.eu
  cidr     = "10.0.${each.value}.0/24"
}
director "nat" {
  for_each = { a = 21, b = 22 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
  inside   = { network = network.in[each.key], address = cidrhost(network.in[each.key].cidr, 1) }
}
farm "behind" {
  for_each = { a = 3, b = 2 }
  network  = network.in[each.key]
  gateway  = director.nat[each.key]
  server "s" {
    for_each = range(parent.value)
    address  = cidrhost(network.in[parent.key].cidr, 10 + each.value)
  }
}
virtual_service "each" {
  region = region.eu
  vip    = "192.0.2.10"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front["a"]]
    method    = "tun"
  }
  tier "nat" {
    directors = [for k in ["a", "b"] : director.nat[k]]
    method    = "nat"
    farms     = [for k in ["a", "b"] : farm.behind[k]]
    quorum {
      min_up  = 2
      restore = 3 # ERROR GS242: Quorum that cannot work
    }
  }
}
