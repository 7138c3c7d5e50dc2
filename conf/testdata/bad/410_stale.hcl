cluster { # ERROR GS020: Not available yet
  stale = "2s" # WARN GS410: Reports are called old too soon
}
