region "eu" {}

network "edge" { # ERROR GS002: Missing argument
  region = region.eu
}
director "a" { # ERROR GS002: Missing argument
  address = "192.0.2.11"
}
farm "web" { # ERROR GS002: Missing argument
  server "a" { address = "192.0.2.12" }
}
