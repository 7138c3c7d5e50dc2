region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "a" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
director "b" {
  network = network.edge
  address = "192.0.2.12"
  inside  = { network = network.inside, address = "10.10.1.2" }
}
farm "web" {
  network = network.inside
  gateway = director.a
  server "a" { address = "10.10.1.10" }
}
virtual_service "dr" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.a]
    method    = "dr" # ERROR GS225: Replies cannot get out
    farms     = [farm.web]
  }
}
virtual_service "tun" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.a]
    method    = "tun" # ERROR GS225: Replies cannot get out
    farms     = [farm.web]
  }
}
virtual_service "past" { # its servers answer through a director without the VIP
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.b]
    method    = "dr"
    farms     = [farm.web]
  }
}
