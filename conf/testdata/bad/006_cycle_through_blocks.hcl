region "eu" {}

locals {
  nets = { for k, n in network.edge : k => n.cidr } # ERROR GS006: Reference cycle
}
network "edge" {
  for_each = local.nets
  region   = region.eu
  cidr     = each.value
}
