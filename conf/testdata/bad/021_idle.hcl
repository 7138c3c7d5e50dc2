# Descriptions that are right and change nothing yet.
topology "t" {
  schema     = 1
  max_remove = "25%"
}
region "eu" {
  continents = ["EU"] # WARN GS021: Without effect yet
}
