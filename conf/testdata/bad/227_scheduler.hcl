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
farm "heavy" {
  network = network.edge
  server "s" {
    for_each = range(5)
    address  = cidrhost("192.0.2.0/24", 30 + each.value)
    weight   = 100
  }
}
farm "uneven" {
  network = network.edge
  server "big" {
    address = "192.0.2.40"
    weight  = 100
  }
  server "small" { address = "192.0.2.41" }
}
virtual_service "wrong" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "wlcc" # ERROR GS227: Unknown scheduler
    farms     = [farm.web]
  }
}
virtual_service "places" {
  region = region.eu
  vip    = "192.0.2.6"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "sh" # WARN GS227: Scheduler does not fit
    farms     = [farm.heavy]
  }
}
virtual_service "ratio" {
  region = region.eu
  vip    = "192.0.2.7"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "mh" # WARN GS227: Scheduler does not fit
    farms     = [farm.uneven]
  }
}
virtual_service "cache" {
  region = region.eu
  vip    = "192.0.2.8"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "lblcr" # WARN GS227: Scheduler does not fit
    farms     = [farm.web]
  }
}
virtual_service "twice" {
  region = region.eu
  vip    = "192.0.2.9"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "sh"
  }
  tier "next" {
    directors = [director.front["b"], director.front["c"]]
    method    = "dr"
    scheduler = "sh" # WARN GS227: Scheduler does not fit
    farms     = [farm.web]
  }
}
virtual_service "refusing" {
  region = region.eu
  vip    = "192.0.2.10"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [director.front["a"]]
    method    = "dr"
    scheduler = "mh"
    flags     = ["port"] # WARN GS227: Scheduler does not fit
    farms     = [farm.web]
  }
}
