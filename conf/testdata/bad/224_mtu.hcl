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
  mtu     = 1400 # WARN GS021: Without effect yet # WARN GS224: MTU leaves no room for the tunnel
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.${20 + each.value}"
  inside   = { network = network.inside[each.key], address = "10.10.${each.value}.1" }
  mtu      = each.key == "a" ? 1500 : 1450 # WARN GS021: Without effect yet # WARN GS224: MTU leaves no room for the tunnel
}
farm "web" {
  for_each = director.nat
  network  = network.inside[each.key]
  gateway  = each.value
  server "a" { address = "10.10.${each.key == "a" ? 1 : 2}.10" }
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
    directors = values(director.nat)
    method    = "nat"
    farms     = values(farm.web)
  }
}
