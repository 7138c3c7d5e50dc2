region "eu" {
  location = [50.11, 8.68
} # ERROR GS016: Syntax error
