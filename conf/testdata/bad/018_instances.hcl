region "a" { for_each = range(60000) }
region "b" { for_each = range(60000) } # ERROR GS018: Too large
