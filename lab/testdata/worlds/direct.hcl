# One director, two real servers on its own segment, which answer the clients
# themselves: by DR as it stands, by TUN when the method says so.
region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/26", "2001:db8:1::/64"]
}

director "d" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8:1::11"]
}
farm "web" {
  network = network.edge
  server "a" {
    weight  = 4
    address = ["192.0.2.21", "2001:db8:1::21"]
  }
  server "b" {
    weight  = 5
    address = ["192.0.2.22", "2001:db8:1::22"]
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
    method    = "dr"
    scheduler = "wlc"
    farms     = [farm.web]
  }
}
