region "eu" {
  continents = ["EU", "Europe"] # ERROR GS305: Wrong continent or country
  countries = [
    "DE",
    "UK", # ERROR GS305: Wrong continent or country
    "fr", # ERROR GS305: Wrong continent or country
    "EU", # ERROR GS305: Wrong continent or country
    "XK",
  ]
}
region "us" {
  continents = [
    "NA",
    "BR", # ERROR GS305: Wrong continent or country
    "EU", # WARN GS305: Place claimed twice
  ]
  countries = [
    "DE", # WARN GS305: Place claimed twice
    "US",
    "US", # WARN GS305: Place claimed twice
  ]
}
