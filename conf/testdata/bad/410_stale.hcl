cluster {
  key   = secret("file:/etc/gslb/cluster.key")
  stale = "2s" # WARN GS410: Reports are called old too soon
}
