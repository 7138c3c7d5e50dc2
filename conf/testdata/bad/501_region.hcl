locals {
  sites = {
    fra = { edge = "192.0.2.0/26", inside = "10.10.1.0/24", servers = 10 }
    ash = { edge = "198.51.100.0/26", inside = "10.20.1.0/24", servers = 7 }
  }
}
region "site" {
  for_each = local.sites
  fallback = ["site-${each.key == "fra" ? "ash" : "fra"}"]
}
network "edge" {
  for_each = local.sites
  region   = region.site[each.key]
  cidr     = each.value.edge
}
network "inside" {
  for_each = local.sites
  region   = region.site[each.key]
  cidr     = each.value.inside
}
director "nat" {
  for_each = local.sites
  network  = network.edge[each.key]
  address  = cidrhost(each.value.edge, 10)
  inside   = { network = network.inside[each.key], address = cidrhost(each.value.inside, 1) }
}
farm "web" {
  for_each = local.sites
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each   = range(parent.value.servers)
    address    = cidrhost(parent.value.inside, 10 + each.value)
    throughput = "400KB/s"
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
zone "shop" { name = "shop.example" }
nameserver "ns" {
  for_each  = local.sites
  region    = region.site[each.key]
  addresses = [cidrhost(each.value.edge, 53)]
}
domain "www" {
  zone = zone.shop
  answer "fra" { service = virtual_service.www["fra"] } # WARN GS501: No headroom for a failure
  answer "ash" { service = virtual_service.www["ash"] }
}
