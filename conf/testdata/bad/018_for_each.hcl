region "eu" {
  for_each = setproduct(range(600), range(600)) # ERROR GS018: Too large
}
region "us" {
  for_each = range(1000000) # ERROR GS018: Too large
}
