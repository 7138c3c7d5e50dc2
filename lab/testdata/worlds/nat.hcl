# One NAT director, two real servers behind it; the second has a port of its own.
region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/26", "2001:db8:1::/64"]
}
network "inside" {
  region = region.eu
  cidr   = ["10.10.1.0/24", "2001:db8:a::/64"]
}

director "d" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8:1::11"]
  inside  = { network = network.inside, address = ["10.10.1.1", "2001:db8:a::1"] }
}
farm "web" {
  network = network.inside
  gateway = director.d
  server "a" {
    weight  = 4
    address = ["10.10.1.10", "2001:db8:a::10"]
  }
  server "b" {
    weight  = 5
    address = ["10.10.1.11", "2001:db8:a::11"]
    port    = 8080
  }
}

check "tcp" {
  type     = "tcp"
  interval = "2s"
  timeout  = "1900ms"
  rise     = 1
  fall     = 3
}
virtual_service "www" {
  region = region.eu
  vip    = ["192.0.2.5", "2001:db8:1::5"]
  ports  = ["tcp/80", "udp/53"]
  check  = check.tcp
  #- sorry = "local"
  #- persistence = { timeout = "30s" }
  tier "one" {
    directors = [director.d]
    method    = "nat"
    scheduler = "wlc"
    farms     = [farm.web]
  }
}
