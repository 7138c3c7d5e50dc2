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
  cidr   = "10.10.0.0/24"
}
director "nat" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.inside, address = "10.10.0.1" }
}
farm "web" {
  network = network.inside
  gateway = director.nat
  server "a" { address = "10.10.0.10" }
}
check "connect" {
  type = "tcp" # WARN GS407: Check does not suit TLS
}
check "port" {
  type = "tcp" # WARN GS407: Check does not suit TLS
  port = 8443
}
check "nameless" {
  type = "https" # WARN GS407: Check does not suit TLS
  port = 443
}
check "verified" {
  type   = "https"
  port   = 443
  verify = true # ERROR GS407: Check does not suit TLS
}
check "right" {
  type   = "https"
  port   = 443
  host   = "www.shop.example"
  verify = true
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/443"]
  check  = check.connect
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
domain "www" {
  zone = zone.shop
  answer "eu" { service = virtual_service.www }
  answer "us" {
    addresses = ["203.0.113.2"]
    check     = check.port
  }
}
