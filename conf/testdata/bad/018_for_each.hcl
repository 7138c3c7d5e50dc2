region "eu" {
  for_each = setproduct(range(400), range(400)) # ERROR GS018: Too large
}
region "us" {
  for_each = range(1000000) # ERROR GS018: Too large
}
