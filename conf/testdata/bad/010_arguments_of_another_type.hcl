check "a" {
  type   = "tcp"
  path   = "/healthz"         # ERROR GS010: Invalid value
  expect = { status = [200] } # ERROR GS010: Invalid value
}
check "b" {
  type   = "http"
  path   = "healthz" # ERROR GS010: Invalid value
  verify = true      # ERROR GS010: Invalid value
}
