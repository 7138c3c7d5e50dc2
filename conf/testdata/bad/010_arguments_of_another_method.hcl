region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12, c = 13, d = 14 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors  = [director.front["a"]]
    method     = "dr"
    scheduler  = "rr"
    flags      = ["fallback"] # ERROR GS010: Invalid value
    encap      = "gue"        # WARN GS020: Not available yet # ERROR GS010: Invalid value
    encap_port = 6081         # WARN GS020: Not available yet
    fullnat    = true         # WARN GS020: Not available yet # ERROR GS010: Invalid value
    farms      = [farm.web]
  }
}
virtual_service "tun" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "tun" {
    directors  = [director.front["a"]]
    method     = "tun"
    scheduler  = "mh"
    flags     = ["fallbak"] # ERROR GS010: Invalid value
    encap      = "geneve"    # WARN GS020: Not available yet # ERROR GS010: Invalid value
    farms      = [farm.web]
  }
}
virtual_service "gre" {
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  tier "tun" {
    directors  = [director.front["a"]]
    method     = "tun"
    encap      = "gre" # WARN GS020: Not available yet
    encap_port = 6081  # WARN GS020: Not available yet # ERROR GS010: Invalid value
    farms      = [farm.web]
  }
}
