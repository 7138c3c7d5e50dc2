locals {
  a = local.b # ERROR GS006: Reference cycle
  b = local.c
  c = "${local.a}x"
}
