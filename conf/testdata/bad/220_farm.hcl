region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "dr" {
  network = network.edge
  address = "192.0.2.11"
}
farm "far" {
  region = region.eu
  server "a" { address = "198.51.100.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.dr]
    method    = "dr" # ERROR GS220: Direct routing cannot reach the next tier
    farms     = [farm.far]
  }
}
