region "eu" {
  prefixes = ["203.0.113.0/24", "2001:db8::/32"]
}
region "us" {
  prefixes = [
    "203.0.113.0/25",
    "203.0.113.0/24", # ERROR GS304: Prefix claimed twice
    "198.51.100.0/24",
    "198.51.100.0/24", # ERROR GS304: Prefix claimed twice
  ]
}
