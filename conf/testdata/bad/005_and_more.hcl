# A bad for_each does not hide what else is wrong in its block.
region "eu" {}
zone "z" { name = "g.shop.example" }
network "a" {
  for_each = 3 # ERROR GS005: Invalid for_each
  region   = region.uu # ERROR GS008: Unknown reference
  cidr     = cidrsubnett("192.0.2.0/24", 2, each.value) # ERROR GS008: Unknown reference
}
nameserver "ns" { # ERROR GS002: Missing argument
  for_each = local.nothing # ERROR GS008: Unknown reference
  region   = region.eu
}
