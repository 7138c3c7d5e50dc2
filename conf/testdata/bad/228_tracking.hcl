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
  network = network.edge
  address = "192.0.2.21"
  inside  = { network = network.inside["a"], address = "10.10.1.1" }
}
farm "web" {
  network = network.inside["a"]
  server "a" { address = "10.10.1.10" }
}
farm "near" {
  network = network.edge
  server "a" { address = "192.0.2.30" }
}
virtual_service "full" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.web]
    fullnat   = true # ERROR GS020: Not available yet
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.nat]
    method    = "dr" # WARN GS228: Connection tracking sees one direction only
    farms     = [farm.near]
  }
}
