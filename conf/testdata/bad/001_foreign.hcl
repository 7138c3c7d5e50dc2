# Words of other programs are known.
check "web" {
  type        = "tcp"
  port        = 80
  down_thresh = 3 # ERROR GS001: Unknown argument
  delay_loop  = 6 # ERROR GS001: Unknown argument
}
virtual_server "www" { # ERROR GS003: Unknown block
  lb_algo = "wlc"
}
