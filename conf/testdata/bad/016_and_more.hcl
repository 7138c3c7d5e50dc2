# Faults in front of the place where the syntax is wrong are said with it; what
# may only follow from the missing text is not.
region "eu" {
  location = [50.11, 188.68, 3] # ERROR GS010: Invalid value
}
network "a" {
  regoin = region.eu # ERROR GS001: Unknown argument
  cidr   = "192.0.2.0/24"
}
network "b" { # ERROR GS002: Missing argument
  region = region.us
}
network "c" {
  region = region.eu
  cidr = "198.51.100.0/24" "198.51.100.0" # ERROR GS016: Syntax error
}
region "us" {}
