region "eu" {}
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14, e = 15, f = 16, g = 17, h = 18 }
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
  sync    = { id = 51 }
}
failover "two" {
  members = [director.front["c"], director.front["d"]]
  vips    = ["192.0.2.6"]
  sync    = { id = 51 } # ERROR GS255: Sync id
}
failover "large" {
  members = [director.front["e"], director.front["f"]]
  vips    = ["2001:db8::6"] # WARN GS212: Nothing listens on the address
  sync    = { id = 300 }    # ERROR GS255: Sync id
}
failover "here" { # both of two directors, each active for one of two VIPs
  members = [director.front["g"], director.front["h"]]
  vips    = ["2001:db8::7"] # WARN GS212: Nothing listens on the address
  sync    = { id = 7 }
}
failover "there" {
  members = [director.front["h"], director.front["g"]]
  vips    = ["2001:db8::8"] # WARN GS212: Nothing listens on the address
  sync    = {}              # ERROR GS255: Sync id
}
failover "together" {
  members = [director.front["h"], director.front["g"]]
  vips    = ["2001:db8::9"] # WARN GS212: Nothing listens on the address
  sync    = { id = 7 }
}
network "heart" {
  region = region.eu
  cidr   = "10.0.0.0/24"
}
failover "apart" {
  members = [director.front["e"], director.front["f"]]
  vips    = ["2001:db8::a"]             # WARN GS212: Nothing listens on the address
  sync    = { network = network.heart } # ERROR GS201: Failover members on different segments
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
