region "eu" {}
region "us" {}
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/25", "2001:db8:1::/64"]
}
network "far" {
  region = region.us
  cidr   = "198.51.100.0/24"
}
nameserver "own" {
  region    = region.eu
  addresses = ["192.0.2.53", "203.0.113.53"]
}
nameserver "outside" {
  region    = region.us
  addresses = ["192.0.2.153", "198.51.100.53"]
}
nameserver "abroad" {
  region = region.us
  addresses = [
    "192.0.2.54",      # ERROR GS205: Address does not fit its network
    "2001:db8:1::54",  # ERROR GS205: Address does not fit its network
    "2001:db8:2::54",
  ]
}
director "tun" {
  network = network.edge
  address = "192.0.2.11"
}
farm "near" {
  region = region.eu
  server "a" { address = "192.0.2.20" }
}
farm "far" {
  region = region.us
  server "a" { address = "192.0.2.30" } # ERROR GS205: Address does not fit its network
  server "b" { address = "198.51.100.30" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "tun" {
    directors = [director.tun]
    method    = "tun" # WARN GS225: Replies leave by the servers' own route
    farms     = [farm.near, farm.far]
  }
}
