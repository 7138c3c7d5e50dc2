region "eu" {}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "front" {
  network = network.inside
  address = "10.10.1.11"
}
farm "web" {
  network = network.inside
  server "a" { address = "10.10.1.20" }
}
virtual_service "www" {
  region = region.eu
  vip    = "10.10.1.5" # WARN GS207: Private address in a public answer
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
zone "shop" {
  name = "shop.example"
  record "static" {
    type = "AAAA"
    data = ["2001:db8::7", "fd00::7"] # WARN GS207: Private address in a public answer
  }
}
zone "own" { # asked for inside only
  name = "shop.internal"
}
nameserver "a" {
  region    = region.eu
  addresses = ["192.168.7.53"] # WARN GS207: Private address in a public answer
}
nameserver "b" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
domain "www" {
  zone = zone.shop
  answer "eu" { service = virtual_service.www }
}
domain "api" {
  zone = zone.shop
  answer "a" { addresses = ["100.64.0.7"] } # WARN GS207: Private address in a public answer
}
domain "api-inside" {
  name = "api"
  zone = zone.own
  answer "a" { addresses = ["10.9.9.9"] }
}
