check "a" {
  type   = "tcp"
  path   = "/healthz"         # ERROR GS010: Invalid value
  expect = { status = [200] } # ERROR GS010: Invalid value
}
check "b" {
  type   = "http"
  path   = "healthz" # ERROR GS010: Invalid value
  verify = true      # ERROR GS010: Invalid value
}
check "c" {
  type    = "icmp"
  send    = "ping"                       # ERROR GS010: Invalid value
  command = ["/bin/ping"]                # ERROR GS010: Invalid value
  flap    = { hold = "1h", max = "10m" } # ERROR GS010: Invalid value
}
check "d" {
  type       = "dns"
  query      = "www.example.org"
  query_type = "AA" # ERROR GS010: Invalid value
  expect = {
    rcode = "NOERR" # ERROR GS010: Invalid value
    text  = "x"     # ERROR GS010: Invalid value
  }
}
check "e" {
  type   = "grpc"
  host   = "cart.example.org"
  verify = true                      # ERROR GS010: Invalid value
  expect = { certificate_days = 14 } # ERROR GS010: Invalid value
}
check "f" {
  type    = "exec"
  command = ["check", "x"] # ERROR GS010: Invalid value
  environment = {          # ERROR GS010: Invalid value
    "A B" = "c"
  }
  slow_start = "2h" # ERROR GS010: Invalid value
}
check "g" {
  type   = "tcp"
  expect = { pattern = "(" } # ERROR GS010: Invalid value
}
check "h" { # ERROR GS002: Missing argument
  type = "udp"
}
check "i" { # ERROR GS002: Missing argument
  type = "dns"
}
check "j" { # ERROR GS002: Missing argument
  type = "exec"
}
check "k" {
  type    = "http"
  method  = "POST"                       # ERROR GS010: Invalid value
  headers = { Host = "www.example.org" } # ERROR GS010: Invalid value
  expect  = { status = ["300-200"] }     # ERROR GS010: Invalid value
}
check "l" {
  type    = "http"
  headers = { Connection = "close" } # ERROR GS010: Invalid value
  expect = {
    status = ["2xx"]                            # ERROR GS010: Invalid value
    sha256 = "d41d8cd98f00b204e9800998ecf8427e" # ERROR GS010: Invalid value
  }
}
check "m" {
  type    = "http"
  method  = "HEAD"
  headers = { X-A = "b\r\nc" }  # ERROR GS010: Invalid value
  expect  = { pattern = "^ok" } # ERROR GS010: Invalid value
}
check "n" { # ERROR GS002: Missing argument
  type = "agent"
}
check "o" { # ERROR GS002: Missing argument
  type = "file"
}
check "p" {
  type   = "file"
  file   = "run/x"                        # ERROR GS010: Invalid value
  user   = "nobody"                       # ERROR GS010: Invalid value
  expect = { exists = false, text = "x" } # ERROR GS010: Invalid value
}
check "q" {
  type   = "smtp"
  verify = true           # ERROR GS010: Invalid value
  http2  = true           # ERROR GS010: Invalid value
  helo   = "not a name"   # ERROR GS106: Invalid domain name
  expect = { text = "x" } # ERROR GS010: Invalid value
}
check "r" {
  type    = "exec"
  command = ["/bin/true"]
  user    = "nobody; rm" # ERROR GS010: Invalid value
}
