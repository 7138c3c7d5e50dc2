# A pair of fronts for two families, in front of two NAT directors:
#
#   client -> VIP -> front a or b (tun) -> nat -> real server
topology "pair" {
  schema = 1
}

cluster { key = secret("file:/etc/gslb/cluster.key") }

region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/26", "2001:db8:0:1::/64"]
}

network "inside" {
  for_each = { a = "1", b = "2" }
  region   = region.eu
  cidr     = ["10.10.${each.value}.0/24", "2001:db8:0:1${each.value}::/64"]
}

director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = ["192.0.2.${each.value}", "2001:db8:0:1::${each.value}"]
}

director "nat" {
  for_each = { a = "1", b = "2" }
  network  = network.edge
  address  = ["192.0.2.2${each.value}", "2001:db8:0:1::2${each.value}"]
  inside   = { network = network.inside[each.key], address = ["10.10.${each.value}.1", "2001:db8:0:1${each.value}::1"] }
}

failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5", "2001:db8:0:1::5"]
  vrrp    = { id = 51, advert = "1s", preempt_delay = "5s", key = secret("file:/etc/gslb/vrrp.key") }
  # sync = {}
  track "router" {
    check   = check.router
    address = "192.0.2.62"
  }
}

farm "web" {
  for_each = { a = "1", b = "2" }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each = range(2)
    address  = ["10.10.${parent.value}.1${each.value}", "2001:db8:0:1${parent.value}::1${each.value}"]
  }
}

check "router" {
  type     = "icmp"
  interval = "2s"
  timeout  = "1900ms"
}

check "web" {
  type     = "http"
  interval = "2s"
  timeout  = "1900ms"
}

virtual_service "www" {
  region = region.eu
  vip    = ["192.0.2.5", "2001:db8:0:1::5"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "front" {
    directors = [failover.front]
    method    = "tun"
    scheduler = "mh"
  }
  tier "nat" {
    directors = values(director.nat)
    method    = "nat"
    farms     = values(farm.web)
  }
}
