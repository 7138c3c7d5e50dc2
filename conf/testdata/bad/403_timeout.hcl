check "a" {
  type     = "tcp"
  interval = "2s"
  timeout  = "2s" # ERROR GS403: Timeout is not below the interval
}
check "b" {
  type     = "tcp"
  interval = "500ms" # ERROR GS403: Timeout is not below the interval
}
