# IPv6 alone, by tunnels: VIPs, directors and servers share a prefix, so that
# what a tunnel starts from is not decided by the prefix.
region "eu" {}
region "us" {}

network "edge" {
  region = region.eu
  cidr   = "2001:db8:1::/64"
}
network "inside" {
  for_each = { a = 9, b = 10 }
  region   = region.eu
  cidr     = "2001:db8:${each.value}::/64"
}

zone "z" { name = "z.example" }
nameserver "ns" {
  for_each  = { a = "2001:db8:1::53", b = "2001:db8:1::54" }
  region    = region.eu
  addresses = [each.value]
}

check "web" {
  type     = "http"
  interval = "1s"
  timeout  = "900ms"
  rise     = 2
  fall     = 3
}

director "front" {
  network = network.edge
  address = "2001:db8:1::11"
}
director "nat" {
  for_each = { a = 9, b = 10 }
  network  = network.edge
  address  = "2001:db8:1::2${each.key}"
  inside   = { network = network.inside[each.key], address = "2001:db8:${each.value}::1" }
}
farm "near" {
  network = network.edge
  server "s" {
    for_each = range(2)
    address  = cidrhost("2001:db8:1::/64", 48 + each.value)
  }
}
farm "nat" {
  for_each = { a = 9, b = 10 }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "s" {
    for_each = range(2)
    address  = cidrhost("2001:db8:${parent.value}::/64", 16 + each.value)
    port     = 8080
  }
}

virtual_service "near" {
  region = region.eu
  vip    = "2001:db8:1::5"
  ports  = ["tcp/80"]
  check  = check.web
  tier "one" {
    directors = [director.front]
    method    = "tun"
    scheduler = "lc"
    farms     = [farm.near]
  }
}
virtual_service "two" {
  region = region.eu
  vip    = "2001:db8:1::6"
  ports  = ["tcp/80"]
  check  = check.web
  tier "front" {
    directors = [director.front]
    method    = "tun"
    scheduler = "sed"
  }
  tier "nat" {
    directors = [director.nat["a"], director.nat["b"]]
    method    = "nat"
    scheduler = "nq"
    farms     = [farm.nat["a"], farm.nat["b"]]
  }
}

domain "www" {
  zone = zone.z
  ttl  = "5s"
  answer "near" { service = virtual_service.near }
  answer "two" { service = virtual_service.two }
}
