check "ping" {
  type = "icmp"
}
region "eu" {
  location = [50.1, 8.7]
}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "d" {
  network = network.edge
  address = "192.0.2.10"
}
farm "web" {
  network = network.edge
  agent   = check.ping # ERROR GS010: Invalid value
  server "a" {
    address = "192.0.2.21"
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.ping # ERROR GS010: Invalid value
  tier "only" {
    directors = [director.d]
    method    = "dr"
    farms     = [farm.web]
  }
}
zone "g" {
  name = "g.example.org"
}
nameserver "ns" {
  for_each  = ["192.0.2.53", "198.51.100.53"]
  region    = region.eu
  addresses = [each.value]
}
domain "www" {
  zone = zone.g
  answer "eu" {
    service = virtual_service.www
  }
}
