region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
farm "web" {
  network = network.edge
  server "a" {
    address            = "192.0.2.20"
    max_connections    = 100
    resume_connections = 100 # ERROR GS244: Inverted connection thresholds
  }
}
farm "endless" {
  network = network.edge
  server "a" {
    address            = "192.0.2.21"
    resume_connections = 100 # ERROR GS244: Inverted connection thresholds
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web, farm.endless]
  }
}
