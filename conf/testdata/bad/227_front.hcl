region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  for_each = { a = 1, b = 2 }
  region   = region.eu
  cidr     = "10.10.${each.value}.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside[each.key], address = "10.10.${each.value}.1" }
}
farm "web" {
  for_each = { a = 1, b = 2 }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "s" {
    address = "10.10.${parent.value}.10"
    weight  = parent.key == "a" ? 300 : 301
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front]
    method    = "tun"
    scheduler = "sh" # WARN GS227: Scheduler does not fit
  }
  tier "nat" {
    directors = values(director.nat)
    method    = "nat"
    farms     = values(farm.web)
  }
}
