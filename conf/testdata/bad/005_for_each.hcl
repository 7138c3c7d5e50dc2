region "eu" {}

network "a" {
  for_each = 3 # ERROR GS005: Invalid for_each
  region   = region.eu
  cidr     = "192.0.2.0/24"
}
network "b" {
  for_each = toset([1, 2]) # ERROR GS005: Invalid for_each
  region   = region.eu
  cidr     = "192.0.2.0/24"
}
network "c" {
  for_each = null # ERROR GS005: Invalid for_each
  region   = region.eu
  cidr     = "192.0.2.0/24"
}
network "d" {
  for_each = region.eu # ERROR GS005: Invalid for_each
  region   = region.eu
  cidr     = "192.0.2.0/24"
}
