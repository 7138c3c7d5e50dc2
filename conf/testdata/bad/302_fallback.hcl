region "eu" {}
region "us" {
  fallback = [
    "eu",
    "us",  # ERROR GS302: Unknown region
    "asi", # ERROR GS302: Unknown region
  ]
}
region "asia" {}
