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
failover "front" {
  members = values(director.front)
  vips = [
    "192.0.2.5",
    "192.0.2.5",  # ERROR GS010: Invalid value
    "192.0.2.12", # ERROR GS203: VIP is the address of a node
  ]
  vrrp {
    id           = 7
    preempt_dela = "30s" # ERROR GS001: Unknown argument
  }
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
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
