# One tier each of NAT, TUN and DR, behind three names. The TUN service's
# servers lie in two regions: those in "us" are reached by routing.
topology "direct" {
  schema = 1
}

region "eu" {
  location = [50.11, 8.68] # Frankfurt
}
region "us" {
  location = [39.04, -77.49] # Ashburn
}

network "edge" { # the directors, and the servers of DR and TUN in eu
  region  = region.eu
  cidr    = "192.0.2.0/26"
  gateway = "192.0.2.1" # the region's router
}
network "inside" { # behind the NAT director
  region = region.eu
  cidr   = "10.10.1.0/24"
}

zone "direct" {
  name = "direct.example"
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}

check "web" {
  type     = "http"
  interval = "500ms"
  timeout  = "450ms"
  rise     = 2
  fall     = 3
}

# NAT: packets are rewritten in both directions, so the servers' default route
# is the director. Only here can a server have a port of its own.
director "nat" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
farm "nat" {
  network = network.inside
  gateway = director.nat
  server "web" {
    for_each = { a = 10, b = 11 }
    address  = cidrhost("10.10.1.0/24", each.value)
    port     = 8080
  }
}
virtual_service "nat" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.web
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.nat]
  }
}

# TUN: packets are wrapped and sent to servers anywhere; these answer the
# client themselves.
director "tun" {
  network = network.edge
  address = "192.0.2.12"
}
farm "near" {
  network = network.edge
  server "web" {
    for_each = range(2)
    address  = cidrhost("192.0.2.0/26", 30 + each.value)
  }
}
farm "far" { # a region instead of a network: reached by routing
  region = region.us
  server "web" {
    for_each = range(2)
    address  = cidrhost("198.51.100.0/26", 30 + each.value)
  }
}
virtual_service "tun" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  check  = check.web
  tier "tun" {
    directors = [director.tun]
    method    = "tun"
    scheduler = "rr"
    farms     = [farm.near, farm.far]
  }
}

# DR: only the MAC address changes, so the servers are on the director's own
# segment; they answer the client themselves.
director "dr" {
  network = network.edge
  address = "192.0.2.13"
}
farm "dr" {
  network = network.edge
  server "big" {
    address = "192.0.2.40"
    weight  = 2
  }
  server "small" {
    address = "192.0.2.41"
  }
}
virtual_service "dr" {
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  check  = check.web
  tier "dr" {
    directors = [director.dr]
    method    = "dr"
    scheduler = "wrr"
    farms     = [farm.dr]
  }
}

domain "nat" {
  zone = zone.direct
  ttl  = "5s"
  answer "eu" { service = virtual_service.nat }
}
domain "tun" {
  zone = zone.direct
  ttl  = "5s"
  answer "eu" { service = virtual_service.tun }
}
domain "dr" {
  zone = zone.direct
  ttl  = "5s"
  answer "eu" { service = virtual_service.dr }
}
