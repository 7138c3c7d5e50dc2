region "eu" {
  location = [50.11, 8.68] # Frankfurt
}
region "us" {
  location = [39.04, -77.49] # Ashburn
}
network "edge" {
  for_each = { eu = { at = region.eu, cidr = "192.0.2.0/24" }, us = { at = region.us, cidr = "198.51.100.0/24" } }
  region   = each.value.at
  cidr     = each.value.cidr
}
network "inside" {
  for_each = { eu = { at = region.eu, cidr = "10.10.1.0/24" }, us = { at = region.us, cidr = "10.20.1.0/24" } }
  region   = each.value.at
  cidr     = each.value.cidr
}
director "front" {
  network = network.edge["eu"]
  address = "192.0.2.11"
}
director "nat" {
  for_each = { eu = "10.10.1.1", us = "10.20.1.1" }
  network  = network.edge[each.key]
  address  = each.key == "eu" ? "192.0.2.21" : "198.51.100.21"
  inside   = { network = network.inside[each.key], address = each.value }
}
farm "web" {
  for_each = { eu = "10.10.1.10", us = "10.20.1.10" }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "a" { address = each.value }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [
      director.nat["eu"],
      director.nat["us"], # WARN GS247: Tiers in different regions
    ]
    method = "nat"
    farms  = values(farm.web)
  }
}
