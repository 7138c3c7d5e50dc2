locals {
  sites = {
    fra = "192.0.2.0/26"
    fra = "192.0.2.64/26" # ERROR GS005: Invalid for_each
  }
  again = { for n in ["a", "a"] : n => 1 } # ERROR GS005: Invalid for_each
}
region "site" { for_each = local.sites }
