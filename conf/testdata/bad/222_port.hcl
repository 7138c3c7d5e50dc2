region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "dr" {
  network = network.edge
  address = "192.0.2.11"
}
farm "web" {
  network = network.edge
  server "a" {
    address = "192.0.2.20"
    port    = 8080 # ERROR GS222: Method cannot change the port
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.dr]
    method    = "dr"
    farms     = [farm.web]
  }
}
