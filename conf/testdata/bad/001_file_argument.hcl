region = "eu" # ERROR GS001: Unknown argument
