region "eu" {}
region "us" {}
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/26"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.0.0/16"
}
director "nat" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.0.1" }
}
farm "web" {
  network = network.inside
  gateway = director.nat
  server "web" {
    for_each = range(600)
    address  = cidrhost("10.10.0.0/16", 10 + each.value)
  }
}
check "web" {
  type     = "http"
  interval = "500ms" # WARN GS404: More probes than a node can do
  timeout  = "250ms"
}
check "place" {
  type     = "http"
  port     = 80
  interval = "20ms" # WARN GS404: More probes than a node can do
  timeout  = "15ms"
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.web
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
domain "www" {
  zone = zone.shop
  answer "eu" { service = virtual_service.www }
  answer "more" {
    for_each  = range(21)
    addresses = ["203.0.113.${each.value + 1}"]
    check     = check.place
  }
}
