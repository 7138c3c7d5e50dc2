defaults {
  check = { interval = "1s", timeout = "3s" } # ERROR GS403: Timeout is not below the interval
}
check "a" { type = "tcp" }
check "b" { type = "tcp" }
