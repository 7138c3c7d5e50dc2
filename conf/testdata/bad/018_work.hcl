locals {
  many = [for a in range(9000) : [for b in range(9000) : b]] # ERROR GS018: Too large
}
region "eu" { for_each = [for n in local.many : length(n)] }
