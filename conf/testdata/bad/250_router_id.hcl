region "eu" {}
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14 }
  network  = network.edge
  address  = ["192.0.2.${each.value}", "2001:db8::${each.value}"]
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
failover "one" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5"]
  vrrp    = { id = 51, advert = "100ms", preempt_delay = "30s" }
}
failover "two" {
  members = [director.front["c"], director.front["d"]]
  vips    = ["192.0.2.6"]
  vrrp    = { id = 51, advert = "100ms", preempt_delay = "30s" } # ERROR GS250: Virtual router id
}
failover "wide" {
  members = [director.front["a"], director.front["c"]]
  vips    = ["2001:db8::5"] # WARN GS212: Nothing listens on the address
  vrrp    = { id = 51, advert = "100ms", preempt_delay = "30s" }
}
failover "large" {
  members = [director.front["b"], director.front["d"]]
  vips    = ["2001:db8::6"] # WARN GS212: Nothing listens on the address
  vrrp {
    id            = 256 # ERROR GS250: Virtual router id
    advert        = "100ms"
    preempt_delay = "30s"
  }
}
virtual_service "www" {
  for_each = { one = 5, two = 6 }
  region   = region.eu
  vip      = "192.0.2.${each.value}"
  ports    = ["tcp/80"]
  tier "dr" {
    directors = [each.key == "one" ? failover.one : failover.two]
    method    = "dr"
    farms     = [farm.web]
  }
}
