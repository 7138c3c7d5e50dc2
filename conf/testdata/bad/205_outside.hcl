region "eu" {}
network "edge" {
  region  = region.eu
  cidr    = "192.0.2.0/24"
  gateway = "198.51.100.1" # ERROR GS205: Address does not fit its network
}
network "full" {
  region = region.eu
  cidr   = "198.51.100.0/31" # ERROR GS205: Address does not fit its network
}
nameserver "a" {
  region    = region.eu
  addresses = ["198.51.100.0", "198.51.100.1"]
}
director "a" {
  network = network.edge
  address = "192.0.3.11" # ERROR GS205: Address does not fit its network
}
director "b" {
  network = network.edge
  address = "192.0.2.255" # ERROR GS205: Address does not fit its network
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.0" } # ERROR GS205: Address does not fit its network
  server "b" {
    for_each = range(3)
    address  = cidrhost("10.10.1.0/24", 10 + each.value) # ERROR GS205: Address does not fit its network
  }
}
