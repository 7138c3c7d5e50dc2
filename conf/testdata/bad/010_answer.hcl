region "eu" {}
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
  address = "192.0.2.11"
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
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}

domain "www" {
  zone = zone.shop
  answer "a" {
    service   = virtual_service.www
    addresses = ["203.0.113.1"] # ERROR GS010: Invalid value
  }
}
