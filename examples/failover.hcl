# two-tier.hcl with two fronts in each region, of which one has the VIP. When it
# is silent the other one takes over, and connections live on:
#
#   client -> DNS -> VIP -> front 1 or 2 (tun in eu, dr in us) -> nat -> real server
topology "failover" {
  schema = 1
}

locals {
  regions = {
    eu = { region = region.eu, edge = "192.0.2.0/26", method = "tun" }
    us = { region = region.us, edge = "198.51.100.0/26", method = "dr" }
  }
  # One cell = one NAT director with its farm.
  cells = {
    eu1 = { site = "eu", host = 21, inside = "10.10.1.0/24", servers = 2 }
    eu2 = { site = "eu", host = 22, inside = "10.10.2.0/24", servers = 3 }
    us1 = { site = "us", host = 21, inside = "10.20.1.0/24", servers = 2 }
    us2 = { site = "us", host = 22, inside = "10.20.2.0/24", servers = 2 }
  }
  fronts = { # in the order in which they have the VIP
    eu1 = { site = "eu", host = 11 }
    eu2 = { site = "eu", host = 12 }
    us1 = { site = "us", host = 11 }
    us2 = { site = "us", host = 12 }
  }
}

region "eu" {
  location = [50.11, 8.68] # Frankfurt
}
region "us" {
  location = [39.04, -77.49] # Ashburn
}

zone "shop" {
  name = "g.shop.example"
  soa  = { contact = "hostmaster.shop.example", negative_ttl = "5s" }
  record "static" {
    type = "TXT"
    data = "\"served beside the steered names\""
  }
}

nameserver "ns" { # one per region: ns-eu.g.shop.example, ns-us.g.shop.example
  for_each  = local.regions
  region    = each.value.region
  addresses = [cidrhost(each.value.edge, 53)]
}

network "edge" { # clients, fronts and the outer side of the NAT directors
  for_each = local.regions
  region   = each.value.region
  cidr     = each.value.edge
  gateway  = cidrhost(each.value.edge, 1) # the region's router
}

network "inside" { # one farm's segment
  for_each = local.cells
  region   = local.regions[each.value.site].region
  cidr     = each.value.inside
}

director "front" { # first tier
  for_each = local.fronts
  network  = network.edge[each.value.site]
  address  = cidrhost(local.regions[each.value.site].edge, each.value.host)
}

failover "front" { # owns the VIP
  for_each = local.regions
  members  = [director.front["${each.key}1"], director.front["${each.key}2"]]
  vips     = [cidrhost(each.value.edge, 5)]
  vrrp     = { id = 51, advert = "100ms", preempt_delay = "5s" } # silent for 0.3 s: dead
}

director "nat" { # second tier: default route of its farm
  for_each = local.cells
  network  = network.edge[each.value.site]
  address  = cidrhost(local.regions[each.value.site].edge, each.value.host)
  inside   = { network = network.inside[each.key], address = cidrhost(each.value.inside, 1) }
}

farm "web" {
  for_each = local.cells
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each = range(parent.value.servers)
    address  = cidrhost(parent.value.inside, 10 + each.value)
  }
}

check "web" { # 3 failures at 500ms: out within 2 seconds
  type     = "http"
  path     = "/"
  interval = "500ms"
  timeout  = "450ms"
  rise     = 2
  fall     = 3
}

virtual_service "www" {
  for_each = local.regions
  region   = each.value.region
  vip      = cidrhost(each.value.edge, 5)
  ports    = ["tcp/80"]
  check    = check.web
  tier "front" {
    directors = [failover.front[each.key]]
    method    = each.value.method
    scheduler = "mh" # both fronts choose the same NAT director for a client
  }
  tier "nat" {
    directors = [for k, d in director.nat : d if local.cells[k].site == each.key]
    method    = "nat"
    scheduler = "wlc"
    farms     = [for k, f in farm.web : f if local.cells[k].site == each.key]
  }
}

domain "www" { # www.g.shop.example
  zone = zone.shop
  ttl  = "5s"
  answer "eu" { service = virtual_service.www["eu"] }
  answer "us" { service = virtual_service.www["us"] }
}
