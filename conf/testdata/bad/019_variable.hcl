variable "zone" {} # ERROR GS019: Variable refused
variable "env" {
  type    = string
  default = "test" # ERROR GS019: Variable refused
  validation {
    condition     = contains(["prod", "staging"], var.env)
    error_message = "env must be prod or staging."
  }
}
variable "count" {
  type    = number
  default = "many" # ERROR GS010: Invalid value
}
region "eu" { for_each = toset([var.zone, var.env, var.count]) }
