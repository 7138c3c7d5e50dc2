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
failover "one" {
  members = [director.front["a"], director.front["b"]]
  vips    = ["192.0.2.5"]
  vrrp    = { id = 51, advert = "100ms" } # WARN GS253: Preemption without delay
}
failover "two" {
  members = [director.front["c"], director.front["d"]]
  vips    = ["192.0.2.6"]
  vrrp {
    id            = 52
    preempt_delay = "1s" # WARN GS253: Preemption without delay
  }
  sync = {} # the id of the virtual router
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
