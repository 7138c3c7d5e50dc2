# What the examples do not have: three regions, both families, UDP and TLS
# beside TCP, weights of answers, a VIP outside its director's segment, a region
# without coordinates, nameservers outside every network.
locals {
  zone = "lab.example"
}

region "eu" { location = [48.86, 2.35] }
region "us" { location = [41.88, -87.63] }
region "ap" {}

network "paris" {
  region = region.eu
  cidr   = ["192.0.2.0/25", "2001:db8:1::/64"]
}
network "chicago" {
  region  = region.us
  cidr    = "198.51.100.0/25"
  gateway = "198.51.100.126"
}
network "chicago_front" {
  region = region.us
  cidr   = "198.51.100.128/26"
}
network "racks" {
  for_each = { r1 = 1, r2 = 2 }
  region   = region.us
  cidr     = "10.2.${each.value}.0/24"
  gateway  = "10.2.${each.value}.1" # the director, not a router
}
network "tokyo" {
  region = region.ap
  cidr   = "203.0.113.0/26"
}
network "tokyo_inside" {
  region = region.ap
  cidr   = "10.3.0.0/24"
}

zone "lab" { name = local.zone }
nameserver "ns" {
  for_each  = { a = { region = region.eu, at = "192.0.2.125" }, b = { region = region.ap, at = "203.0.113.200" } }
  region    = each.value.region
  addresses = [each.value.at]
}

check "web" {
  type     = "https"
  port     = 443
  host     = "www.${local.zone}"
  interval = "2s"
  timeout  = "1900ms"
  rise     = 1
  fall     = 3
}
check "tcp" {
  type     = "tcp"
  interval = "1s"
  timeout  = "900ms"
  rise     = 2
  fall     = 3
}

# eu: DR for both families and three ports.
director "paris" {
  network = network.paris
  address = ["192.0.2.10", "2001:db8:1::10"]
}
farm "paris" {
  network = network.paris
  server "s" {
    for_each = range(3)
    address  = [cidrhost("192.0.2.0/25", 20 + each.value), cidrhost("2001:db8:1::/64", 32 + each.value)]
    weight   = each.value + 1
  }
}
virtual_service "paris" {
  region = region.eu
  vip    = ["192.0.2.5", "2001:db8:1::5"]
  ports  = ["tcp/80", "tcp/443", "udp/5353"]
  check  = check.web
  tier "one" {
    directors = [director.paris]
    method    = "dr"
    scheduler = "wrr"
    farms     = [farm.paris]
  }
}

# us: a TUN front on a segment of its own, with a routed VIP; two NAT directors
# of different size.
director "front" {
  network = network.chicago_front
  address = "198.51.100.130"
}
director "rack" {
  for_each = { r1 = 1, r2 = 2 }
  network  = network.chicago
  address  = "198.51.100.${20 + each.value}"
  inside   = { network = network.racks[each.key], address = "10.2.${each.value}.1" }
}
farm "rack" {
  for_each = { r1 = 1, r2 = 2 }
  network  = network.racks[each.key]
  gateway  = director.rack[each.key]
  server "s" {
    for_each = range(parent.value)
    address  = "10.2.${parent.value}.${10 + each.value}"
    port     = 8080
  }
}
virtual_service "chicago" {
  region = region.us
  vip    = "198.51.100.250"
  ports  = ["tcp/80"]
  check  = check.tcp
  tier "front" {
    directors = [director.front]
    method    = "tun"
    scheduler = "wrr"
  }
  tier "rack" {
    directors = [director.rack["r1"], director.rack["r2"]]
    method    = "nat"
    scheduler = "rr"
    farms     = [farm.rack["r1"], farm.rack["r2"]]
  }
}

# ap: one NAT director.
director "tokyo" {
  network = network.tokyo
  address = "203.0.113.10"
  inside  = { network = network.tokyo_inside, address = "10.3.0.1" }
}
farm "tokyo" {
  network = network.tokyo_inside
  gateway = director.tokyo
  server "s" {
    for_each = range(2)
    address  = "10.3.0.${10 + each.value}"
  }
}
virtual_service "tokyo" {
  region = region.ap
  vip    = "203.0.113.5"
  ports  = ["tcp/80"]
  check  = check.tcp
  tier "one" {
    directors = [director.tokyo]
    method    = "nat"
    scheduler = "mh"
    farms     = [farm.tokyo]
  }
}

domain "www" {
  zone = zone.lab
  ttl  = "5s"
  answer "eu" {
    service = virtual_service.paris
    weight  = 3
  }
  answer "us" { service = virtual_service.chicago }
  answer "ap" { service = virtual_service.tokyo }
}
