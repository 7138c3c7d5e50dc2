region "eu" {}
region "us" {
  fallback = [
    "eu",
    "us",  # ERROR GS302: Fallback leads nowhere
    "asi", # ERROR GS302: Fallback leads nowhere
  ]
}
region "asia" {}
