variable "env" { # WARN GS011: Declared but not used
  default = "prod"
}
locals {
  zone = "shop.example" # WARN GS011: Declared but not used
}
check "web" { type = "tcp" } # WARN GS011: Declared but not used
policy "p" {                 # WARN GS011: Declared but not used
  step "health" {}
}
region "eu" {}
network "edge" { # WARN GS011: Declared but not used
  region = region.eu
  cidr   = "192.0.2.0/24"
}
