region "a" {
  for_each = { b = [1, 2], c = [3, 4] }
  location = each.value
}
region "a-b" {} # ERROR GS007: Declared twice
