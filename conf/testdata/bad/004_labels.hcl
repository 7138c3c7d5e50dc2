region "eu" {}

network { # ERROR GS004: Wrong number of labels
  region = region.eu
  cidr   = "192.0.2.0/24"
}
region "us" "east" {} # ERROR GS004: Wrong number of labels
locals "x" { # ERROR GS004: Wrong number of labels
  a = 1
}
