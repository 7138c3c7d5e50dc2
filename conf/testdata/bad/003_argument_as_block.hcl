region "eu" {}

network "edge" {
  region = region.eu
  cidr { # ERROR GS003: Unknown block
  }
}
