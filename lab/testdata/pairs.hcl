# Pairs that move a gateway, for two families: one behind a pair of fronts, and
# one that is a first tier.
#
#   client -> VIP -> front a or b (tun) -> nat a or b -> real server
#   client -> VIP -> gate a or b -> real server
topology "pairs" {
  schema = 1
}

region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/26", "2001:db8:0:1::/64"]
}

network "inside" {
  for_each = { nat = 1, gate = 2 }
  region   = region.eu
  cidr     = ["10.10.${each.value}.0/24", "2001:db8:0:1${each.value}::/64"]
}

director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = ["192.0.2.${each.value}", "2001:db8:0:1::${each.value}"]
}

director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = ["192.0.2.2${each.value}", "2001:db8:0:1::2${each.value}"]
  inside   = { network = network.inside["nat"], address = ["10.10.1.${each.value}", "2001:db8:0:11::${each.value}"] }
}

director "gate" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = ["192.0.2.3${each.value}", "2001:db8:0:1::3${each.value}"]
  inside   = { network = network.inside["gate"], address = ["10.10.2.${each.value}", "2001:db8:0:12::${each.value}"] }
}

defaults {
  check = { interval = "1s", timeout = "900ms" }
}

failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5", "2001:db8:0:1::5"]
  vrrp    = { id = 51, advert = "1s", preempt_delay = "5s" }
}

failover "nat" {
  members = values(director.nat)
  address = ["192.0.2.20", "2001:db8:0:1::20"]
  inside  = { network = network.inside["nat"], address = ["10.10.1.254", "2001:db8:0:11::fe"] }
  vrrp    = { id = 52, advert = "1s", preempt_delay = "5s" }
}

failover "gate" {
  members = values(director.gate)
  vips    = ["192.0.2.6", "2001:db8:0:1::6"]
  inside  = { network = network.inside["gate"], address = ["10.10.2.254", "2001:db8:0:12::fe"] }
  vrrp    = { id = 53, advert = "1s", preempt_delay = "5s" }
}

farm "web" {
  for_each = { nat = failover.nat, gate = failover.gate }
  network  = network.inside[each.key]
  gateway  = each.value
  server "web" {
    for_each = range(2)
    address  = [cidrhost(network.inside[parent.key].cidr[0], 10 + each.value), cidrhost(network.inside[parent.key].cidr[1], 16 + each.value)]
  }
}

check "web" {
  type = "http"
}

virtual_service "www" {
  region = region.eu
  vip    = ["192.0.2.5", "2001:db8:0:1::5"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "front" {
    directors = [failover.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [failover.nat]
    method    = "nat"
    farms     = [farm.web["nat"]]
  }
}

virtual_service "gate" {
  region = region.eu
  vip    = ["192.0.2.6", "2001:db8:0:1::6"]
  ports  = ["tcp/80"]
  check  = check.web
  tier "nat" {
    directors = [failover.gate]
    method    = "nat"
    farms     = [farm.web["gate"]]
  }
}
