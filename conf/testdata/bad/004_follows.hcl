# What refers to a block whose labels are wrong is not wrong for that.
region "eu" "west" { # ERROR GS004: Wrong number of labels
}
locals "x" { # ERROR GS004: Wrong number of labels
  cidr = "192.0.2.0/24"
}
network "edge" {
  region = region.eu
  cidr   = local.cidr
}
