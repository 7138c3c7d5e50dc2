region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}

locals {
  sites = { fra = "192.0.2.11", ash = "192.0.2.12" }
}
director "a" {
  network = network.egde # ERROR GS008: Unknown reference
  address = local.sites.frb # ERROR GS008: Unknown reference
}
director "b" {
  network = ntework.edge # ERROR GS008: Unknown reference
  address = cidrhst("192.0.2.0/24", 3) # ERROR GS008: Unknown reference
}
director "c" {
  network = network.edge
  address = each.value # ERROR GS008: Unknown reference
}
director "d" {
  for_each = { x = "ash", y = "bos" }
  network  = network.edge
  address  = local.sites[each.value] # ERROR GS008: Unknown reference
}
