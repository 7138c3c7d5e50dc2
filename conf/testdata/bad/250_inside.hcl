# A virtual router of a pair is on both of its segments.
region "eu" {}
network "edge" {
  for_each = { a = "192.0.2.0/25", b = "192.0.2.128/25" }
  region   = region.eu
  cidr     = each.value
}
network "inside" {
  region = region.eu
  cidr   = ["10.10.1.0/24", "2001:db8:1::/64"]
}
director "a" {
  for_each = range(2)
  network  = network.edge["a"]
  address  = "192.0.2.${10 + each.value}"
  inside   = { network = network.inside, address = ["10.10.1.${1 + each.value}", "2001:db8:1::${1 + each.value}"] }
}
director "b" {
  for_each = range(2)
  network  = network.edge["b"]
  address  = "192.0.2.${140 + each.value}"
  inside   = { network = network.inside, address = "10.10.1.${3 + each.value}" }
}
failover "a" {
  members = director.a
  vips    = ["192.0.2.5"]
  inside  = { network = network.inside, address = ["10.10.1.254", "2001:db8:1::fe"] }
  vrrp    = { id = 51, preempt_delay = "30s" }
}
failover "b" {
  members = director.b
  vips    = ["192.0.2.135"]
  inside = {
    network = network.inside
    address = ["10.10.1.253", "2001:db8:1::fd"] # ERROR GS252: Failover pair with the wrong members
  }
  vrrp = {
    id            = 51 # ERROR GS250: Virtual router id
    preempt_delay = "30s"
  }
}
farm "web" {
  for_each = { a = failover.a, b = failover.b }
  network  = network.inside
  gateway  = each.value
  server "a" { address = "10.10.1.${parent.key == "a" ? 10 : 11}" }
}
virtual_service "www" {
  for_each = { a = failover.a, b = failover.b }
  region   = region.eu
  vip      = each.key == "a" ? "192.0.2.5" : "192.0.2.135"
  ports    = ["tcp/80"]
  tier "nat" {
    directors = [each.value]
    method    = "nat"
    farms     = [farm.web[each.key]]
  }
}
