region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "10.10.0.0/16"
}
director "front" {
  for_each = range(2)
  network  = network.edge
  address  = cidrhost("10.10.0.0/16", 11 + each.value)
}
failover "front" {
  members = director.front
  vips    = ["10.10.0.5"]
  vrrp    = { id = 51, advert = "100ms", preempt_delay = "30s" }
}
farm "web" {
  network = network.edge
  server "web" {
    for_each = range(600)
    address  = cidrhost("10.10.0.0/16", 100 + each.value)
  }
}
check "web" { # each member of the pair probes every server
  type     = "http"
  path     = "/"
  interval = "500ms" # WARN GS404: More probes than a node can do
  timeout  = "250ms"
}
virtual_service "www" {
  region = region.eu
  vip    = "10.10.0.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr"
    farms     = [farm.web]
    check     = check.web
  }
}
