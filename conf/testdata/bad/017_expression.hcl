region "eu" {}

locals {
  a = "x" + 1                         # ERROR GS017: Invalid expression
  b = cidrhost("192.0.2.0/30", 9)     # ERROR GS017: Invalid expression
  c = cidrsubnet("192.0.2.0/24", 9, 0) # ERROR GS017: Invalid expression
  d = [for x in 3 : x]                # ERROR GS017: Invalid expression
  e = upper()                         # ERROR GS017: Invalid expression
}
