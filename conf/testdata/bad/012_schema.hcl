topology "shop" {
  schema = 2 # ERROR GS012: Schema is newer than this program
}
teleporter "x" {
  speed = "warp"
}
