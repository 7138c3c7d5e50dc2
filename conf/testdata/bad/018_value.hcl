locals {
  a = range(1000)
  b = [for x in range(10) : local.a]
  c = [local.b, local.b, local.b, local.b, local.b, local.b, local.b, local.b, local.b, local.b]
  d = [local.c, local.c, local.c, local.c, local.c, local.c, local.c, local.c, local.c, local.c] # ERROR GS018: Too large
}
