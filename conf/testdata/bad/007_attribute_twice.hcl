region "eu" {}

network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
  region = region.eu # ERROR GS007: Declared twice
}
