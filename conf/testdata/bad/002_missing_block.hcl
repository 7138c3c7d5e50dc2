region "eu" {}

network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
farm "web" { # ERROR GS002: Missing argument
  network = network.edge
}
virtual_service "www" { # ERROR GS002: Missing argument
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
}
