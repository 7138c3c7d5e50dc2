region "eu" {
  location = [150.11, 8.68] # ERROR GS010: Invalid value
}
network "edge" {
  region  = region.eu
  cidr    = "192.0.2.5/24" # ERROR GS010: Invalid value
  gateway = "192.0.2.300"  # ERROR GS010: Invalid value
}
network "inside" {
  region = region.eu
  cidr   = ["10.10.1.0/24", "10.10.2.0/24"] # ERROR GS010: Invalid value
}
director "a" {
  network = network.inside
  address = ["127.0.0.1"] # ERROR GS010: Invalid value
  mtu     = 100           # ERROR GS010: Invalid value
}
check "web" {
  type     = "htpp" # ERROR GS010: Invalid value
  interval = 2      # ERROR GS010: Invalid value
  timeout  = "1sec" # ERROR GS010: Invalid value
  jitter   = "120%" # ERROR GS010: Invalid value
  rise     = 0      # ERROR GS010: Invalid value
}
farm "web" {
  network = network.inside
  server "a" {
    address    = "10.10.1.10"
    weight     = 70000     # ERROR GS010: Invalid value
    throughput = "400KB"   # ERROR GS010: Invalid value
    port       = "http"    # ERROR GS010: Invalid value
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = [
    80,        # ERROR GS010: Invalid value
    "tcp/0",   # ERROR GS010: Invalid value
    "sctp/80", # ERROR GS010: Invalid value
    "tcp/443",
  ]
  tier "nat" {
    directors = [director.a]
    method    = "tunnel" # ERROR GS010: Invalid value
    scheduler = "wlcc"   # ERROR GS227: Unknown scheduler
    farms     = [farm.web]
  }
}
policy "p" {
  step "helth" {} # ERROR GS010: Invalid value
}
