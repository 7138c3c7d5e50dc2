# A front that hands packets to two NAT directors, each with a farm of its own:
# by TUN as it stands, by DR when the method says so.
region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/26", "2001:db8:1::/64"]
}
network "inside" {
  for_each = { a = "1", b = "2" }
  region   = region.eu
  cidr     = ["10.10.${each.value}.0/24", "2001:db8:${each.key}::/64"]
}

director "front" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8:1::11"]
}
director "nat" {
  for_each = { a = "1", b = "2" }
  network  = network.edge
  address  = ["192.0.2.2${each.value}", "2001:db8:1::2${each.value}"]
  inside = {
    network = network.inside[each.key]
    address = ["10.10.${each.value}.1", "2001:db8:${each.key}::1"]
  }
}
farm "web" {
  for_each = { a = "1", b = "2" }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "s" {
    for_each = { x = 10, y = 11 }
    address  = ["10.10.${parent.value}.${each.value}", "2001:db8:${parent.key}::${each.value}"]
  }
}

check "tcp" {
  type     = "tcp"
  interval = "2s"
  timeout  = "1900ms"
  rise     = 1
  fall     = 3
}
check "other" { # what runs on the NAT directors themselves
  type = "tcp"
  port = 9000
}
virtual_service "www" {
  region = region.eu
  vip    = ["192.0.2.5", "2001:db8:1::5"]
  ports  = ["tcp/80"]
  check  = check.tcp
  tier "front" {
    #- check = check.other
    directors = [director.front]
    method    = "tun"
    scheduler = "wlc"
  }
  tier "nat" {
    directors = [director.nat["a"], director.nat["b"]]
    method    = "nat"
    scheduler = "wlc"
    farms     = [farm.web["a"], farm.web["b"]]
  }
}
