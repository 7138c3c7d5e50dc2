region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
check "agent" {
  type = "agent"
  port = 9707
}
check "open" { type = "tcp" }
check "router" { type = "icmp" }
failover "front" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5"]
  vrrp    = { id = 51, advert = "500ms", preempt_delay = "30s" }
  flap    = { hold = "10m" } # ERROR GS010: Invalid value
  track "agent" {
    check = check.agent # ERROR GS010: Invalid value
  }
  track "open" {
    check = check.open # ERROR GS408: Check does not say which port
  }
  track "router" {
    check   = check.router
    address = "192.0.2.1"
    penalty = 10 # ERROR GS010: Invalid value
    unfit   = true
  }
  track "well" {
    check   = check.router
    penalty = 255 # ERROR GS010: Invalid value
  }
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
