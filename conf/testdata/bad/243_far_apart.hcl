region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
farm "uneven" {
  network = network.edge
  server "big" {
    address = "192.0.2.40"
    weight  = 30000 # WARN GS243: Weights far apart
  }
  server "small" {
    address = "192.0.2.41"
    weight  = 20
  }
  server "out" {
    address = "192.0.2.42"
    weight  = 0
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "mh"
    farms     = [farm.uneven]
  }
}
