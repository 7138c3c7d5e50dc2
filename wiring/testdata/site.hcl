# A node of each kind, in both families. What each needs, in every form, is in
# the other files of this folder.
region "eu" {}

network "edge" {
  region  = region.eu
  cidr    = ["192.0.2.0/24", "2001:db8:1::/64"]
  gateway = ["192.0.2.1", "2001:db8:1::1"]
}
network "inside" {
  for_each = { one = 1, tun = 2, dr = 3 }
  region   = region.eu
  cidr     = ["10.0.${each.value}.0/24", "2001:db8:1${each.value}::/64"]
}

zone "z" { name = "z.example" }
nameserver "ns" {
  for_each  = { a = 53, b = 54 }
  region    = region.eu
  addresses = ["192.0.2.${each.value}", "2001:db8:1::${each.value}"]
}

check "web" { type = "tcp" }

director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = ["192.0.2.${each.value}", "2001:db8:1::${each.value}"]
}
director "nat" { # of one tier alone, behind tunnels, and behind DR
  for_each = { one = 1, tun = 2, dr = 3 }
  network  = network.edge
  address  = ["192.0.2.2${each.value}", "2001:db8:1::2${each.value}"]
  inside   = { network = network.inside[each.key], address = ["10.0.${each.value}.1", "2001:db8:1${each.value}::1"] }
}

farm "nat" {
  for_each = { one = 1, tun = 2, dr = 3 }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "s" { address = ["10.0.${parent.value}.10", "2001:db8:1${parent.value}::10"] }
}
farm "tun" {
  network = network.edge
  server "s" { address = ["192.0.2.31", "2001:db8:1::31"] }
}
farm "other" { # of one family alone, behind tunnels that carry both
  for_each = { four = "192.0.2.51", six = "2001:db8:1::61" }
  network  = network.edge
  server "s" { address = parent.value }
}
farm "dr" {
  network = network.edge
  server "s" { address = ["192.0.2.41", "2001:db8:1::41"] }
}

virtual_service "nat" {
  region = region.eu
  vip    = ["192.0.2.101", "2001:db8:1::101"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.nat["one"]]
    method    = "nat"
    farms     = [farm.nat["one"]]
  }
}
virtual_service "tun" {
  region = region.eu
  vip    = ["192.0.2.102", "2001:db8:1::102"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.front["a"]]
    method    = "tun"
    farms     = [farm.tun]
  }
}
virtual_service "also" { # the second director that sends to the same servers
  region = region.eu
  vip    = ["192.0.2.106", "2001:db8:1::106"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.front["b"]]
    method    = "tun"
    farms     = [farm.tun]
  }
}
virtual_service "other" {
  region = region.eu
  vip    = ["192.0.2.107", "2001:db8:1::107"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.front["a"]]
    method    = "tun"
    farms     = [farm.other["four"], farm.other["six"]]
  }
}
virtual_service "dr" {
  region = region.eu
  vip    = ["192.0.2.103", "2001:db8:1::103"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.front["b"]]
    method    = "dr"
    farms     = [farm.dr]
  }
}
virtual_service "behind" {
  for_each = { tun = 4, dr = 5 }
  region   = region.eu
  vip      = ["192.0.2.10${each.value}", "2001:db8:1::10${each.value}"]
  ports    = ["tcp/80", "udp/443"]
  fwmark   = each.value
  check    = check.web
  tier "front" {
    directors = [director.front["a"]]
    method    = each.key
  }
  tier "nat" {
    directors = [director.nat[each.key]]
    method    = "nat"
    farms     = [farm.nat[each.key]]
  }
}
