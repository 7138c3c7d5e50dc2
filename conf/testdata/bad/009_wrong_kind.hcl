region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}

check "web" { type = "tcp" }
director "a" {
  network = check.web # ERROR GS009: Wrong kind of reference
  address = "192.0.2.11"
}
director "b" {
  network = "edge" # ERROR GS009: Wrong kind of reference
  address = "192.0.2.12"
}
director "c" {
  for_each = { x = 13, y = 14 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.inside
  gateway = director.c # ERROR GS009: Wrong kind of reference
  server "a" { address = network.inside } # ERROR GS009: Wrong kind of reference
}
region "us" {
  fallback = [region.eu] # ERROR GS009: Wrong kind of reference
}
