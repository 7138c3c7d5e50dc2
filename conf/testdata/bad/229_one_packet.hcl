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
  gateway = director.nat
  server "a" { address = "10.10.1.10" }
}
farm "near" {
  network = network.edge
  server "a" { address = "192.0.2.30" }
}
virtual_service "nat" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["udp/53"]
  tier "nat" {
    directors  = [director.nat]
    method     = "nat"
    farms      = [farm.web]
    one_packet = true # ERROR GS229: One-packet scheduling cannot work here
  }
}
virtual_service "tcp" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["udp/53", "tcp/53"]
  tier "dr" {
    directors  = [director.front]
    method     = "dr"
    farms      = [farm.near]
    one_packet = true # ERROR GS229: One-packet scheduling cannot work here
  }
}
virtual_service "kept" {
  region      = region.eu
  vip         = "192.0.2.7"
  ports       = ["udp/53"]
  persistence = { timeout = "5m", netmask = 24 }
  tier "dr" {
    directors  = [director.front]
    method     = "dr"
    farms      = [farm.near]
    one_packet = true # ERROR GS229: One-packet scheduling cannot work here
  }
}
virtual_service "udp" {
  region = region.eu
  vip    = "192.0.2.8"
  ports  = ["udp/53"]
  tier "dr" {
    directors  = [director.front]
    method     = "dr"
    farms      = [farm.near]
    one_packet = true
  }
}
