# DNS in front of two NAT directors: the smallest useful topology.
zone "shop" { name = "g.shop.example" }
locals {
  sites = { # a region's coordinates, its segment with the VIP, and its farm's segment
    eu = { at = [50.11, 8.68], edge = "192.0.2.0/26", inside = "10.10.1.0/24" }
    us = { at = [39.04, -77.49], edge = "198.51.100.0/26", inside = "10.20.1.0/24" }
  }
}
region "site" {
  for_each = local.sites
  location = each.value.at
}
nameserver "ns" { # answers for the zone: ns-eu.g.shop.example, ns-us...
  for_each  = local.sites
  region    = region.site[each.key]
  addresses = [cidrhost(each.value.edge, 53)]
}
network "edge" { # towards the clients
  for_each = local.sites
  region   = region.site[each.key]
  cidr     = each.value.edge
}
network "inside" { # towards the real servers
  for_each = local.sites
  region   = region.site[each.key]
  cidr     = each.value.inside
}
director "nat" { # owns the VIP and rewrites packets in both directions
  for_each = local.sites
  network  = network.edge[each.key]
  address  = cidrhost(each.value.edge, 10)
  inside   = { network = network.inside[each.key], address = cidrhost(each.value.inside, 1) }
}
farm "web" { # its servers' default route is their director
  for_each = local.sites
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each = range(2)
    address  = cidrhost(parent.value.inside, 10 + each.value)
  }
}
virtual_service "www" {
  for_each = local.sites
  region   = region.site[each.key]
  vip      = cidrhost(each.value.edge, 5)
  ports    = ["tcp/80"]
  tier "nat" {
    directors = [director.nat[each.key]]
    method    = "nat"
    farms     = [farm.web[each.key]]
  }
}
domain "www" { # www.g.shop.example rotates over the VIPs that are up
  zone = zone.shop
  answer "vip" {
    for_each = virtual_service.www
    service  = each.value
  }
}
