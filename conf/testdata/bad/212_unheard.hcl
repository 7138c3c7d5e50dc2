region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
failover "front" {
  members = [director.front["a"], director.front["b"]]
  vips = [
    "192.0.2.5",
    "192.0.2.6",    # WARN GS212: Nothing listens on the address
    "192.0.2.7",    # said where it is answered
    "198.51.100.1", # WARN GS212: Nothing listens on the address
  ]
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
zone "shop" { name = "shop.example" }
nameserver "ns" {
  for_each  = { a = "192.0.2.53", b = "203.0.113.54" }
  region    = region.eu
  addresses = [each.value]
}
domain "www" {
  zone = zone.shop
  answer "a" {
    addresses = [
      "192.0.2.5",
      "192.0.2.7",   # WARN GS212: Nothing listens on the address
      "192.0.2.99",  # WARN GS212: Nothing listens on the address
      "192.0.2.13",  # WARN GS212: Nothing listens on the address
      "192.0.2.20",  # a server by itself
      "203.0.113.9", # not of this file
    ]
  }
}
