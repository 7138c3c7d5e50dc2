region "eu" {
  prefixes = [
    "10.0.0.0/8", # WARN GS233: Replies can bypass the director
    "203.0.113.0/24",
    "192.0.2.0/24",
    "10.10.1.128/25", # WARN GS233: Replies can bypass the director
  ]
}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "nat" {
  network = network.edge
  address = "192.0.2.21"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
farm "web" {
  network = network.inside
  gateway = director.nat
  server "a" { address = "10.10.1.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
