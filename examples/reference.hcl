# Every block and argument of the language. A value that is the default says
# so; doc/manual/topology.md describes them all. Lines that begin with #- are
# read and checked, but this version does not act on them, or they need files
# that this example does not have.
#
#   www -> eu: VIP 192.0.2.5, front (dr) -> two NAT directors with a farm each
#       -> us: VIP 198.51.100.5, one director (tun) -> a farm beside it
topology "reference" {
  schema     = 1     # default
  max_remove = "25%" # default: any
  watch      = true  # default: false
}

#- include "cells/*.hcl" {
#- }

variable "inside" {
  type        = string         # default: any
  default     = "10.10.0.0/16" # without it the variable must be given
  description = "Prefix of the farms behind NAT directors"
  validation {
    condition     = can(cidrhost(var.inside, 1))
    error_message = "inside must be a prefix."
  }
}

locals { # names of your own
  edges = { eu = "192.0.2.0/26", us = "198.51.100.0/26" }
  cells = {
    a = { host = 21, net = cidrsubnet(var.inside, 8, 1) }
    b = { host = 22, net = cidrsubnet(var.inside, 8, 2) }
  }
}

defaults { # what blocks get that say nothing else
  check = {
    port       = 80
    path       = "/"
    host       = "www.g.shop.example"
    interval   = "500ms"
    timeout    = "450ms"
    jitter     = "20%"
    rise       = 2
    fall       = 3
    verify     = false
    slow_start = "20s"
    flap = {
      count  = 4
      window = "5m"
      hold   = "30s"
      max    = "10m"
    }
    expect = {
      status  = [200]
      text    = "server="
      pattern = "^server="
      #- sha256  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
      #- exists  = true
      #- max_age = "5m"
      #- certificate_days = 14
      #- rcode = ["NOERROR"]
      #- answer = ["192.0.2.5"]
    }
  }
  server = {
    weight     = 1
    port       = 80
    throughput = "400KB/s"
    #- max_connections    = 5000
    #- resume_connections = 4000
  }
  director = {
    #- mtu = 1500
    tags = { rack = "r1" }
    capacity = {
      mean_packet = 1000
      packet_cost = "1us"
    }
    timeouts = {
      tcp     = "15m"
      tcp_fin = "2m"
      udp     = "5m"
    }
  }
  domain = {
    zone   = zone.shop
    ttl    = "5s"
    policy = policy.global
  }
}

cluster {
  key  = secret("file:/etc/gslb/cluster.key")
  port = 7353 # default
  #- ca = "/etc/gslb/pki/ca.pem"
  stale = "10s" # default
}

#- geoip {
#-   city = "/var/lib/gslb/city.mmdb"
#-   asn  = "/var/lib/gslb/asn.mmdb"
#- }

zone "shop" {
  name = "g.shop.example"
  ttl  = "1h" # default
  #- file = "/etc/gslb/more.zone"
  soa = { # or soa { ... }, as with every group
    contact      = "hostmaster.shop.example" # default: hostmaster.g.shop.example
    negative_ttl = "5s"                      # default: "30s"
    refresh      = "1h"                      # default
    retry        = "10m"                     # default
    expire       = "2w"                      # default
  }
  #- dnssec = {
  #-   algorithm = "ECDSAP256SHA256"
  #-   keys      = secret("file:/etc/gslb/dnssec")
  #- }
  record "sip" {
    name = "_sip._tcp" # default: the label
    type = "SRV"
    data = ["10 5 5060 www", "20 5 5060 static"]
    ttl  = "1h" # default: the zone's
  }
}

region "eu" {
  location   = [50.11, 8.68]
  continents = ["EU", "AF"]
  countries  = ["IS"]
  asns       = [64496]
  prefixes   = ["203.0.113.0/25"]
  fallback   = ["us"]
  bias       = 25 # default: 0; 25 counts as a quarter nearer
}
region "us" {
  location   = [39.04, -77.49]
  continents = ["NA", "SA", "AS", "OC"]
  fallback   = ["eu"]
}

nameserver "ns" {
  for_each  = { eu = region.eu, us = region.us }
  region    = each.value
  addresses = [cidrhost(local.edges[each.key], 53)]
  name      = "ns-${each.key}.g.shop.example." # default: ns-eu and ns-us, in every zone
}

network "edge" {
  for_each = local.edges
  region   = each.key == "eu" ? region.eu : region.us
  cidr     = each.value
  gateway  = cidrhost(each.value, 1) # default: the highest host that nobody has
}
network "inside" {
  for_each = local.cells
  region   = region.eu
  cidr     = each.value.net
}

director "front" {
  for_each = local.edges
  network  = network.edge[each.key]
  address  = cidrhost(each.value, 11)
}
director "nat" {
  for_each = local.cells
  network  = network.edge["eu"]
  address  = cidrhost(local.edges["eu"], each.value.host)
  #- mtu = 1500 # default
  tags = { rack = "r2" }
  inside = {
    network = network.inside[each.key]
    address = cidrhost(each.value.net, 1)
  }
  capacity = {
    mean_packet = 536    # default
    packet_cost = "60us" # default
  }
  timeouts = { # of connections in its kernel; default: what that has
    tcp     = "15m"
    tcp_fin = "2m"
    udp     = "5m"
  }
}

director "second" {
  network = network.edge["us"]
  address = "198.51.100.12"
  tags    = { rack = "r3" }
}
failover "front" { # one of the two has the VIP
  members = [director.front["us"], director.second]
  vips    = ["198.51.100.6"]
  vrrp = {
    id            = 51    # default: the last byte of the first VIP
    advert        = "1s"  # default
    preempt       = true  # default
    preempt_delay = "30s" # default: none
    key           = secret("file:/etc/gslb/vrrp.key")
    unicast       = false # default
    virtual_mac   = false # default
  }
  flap = {
    count  = 3     # default
    window = "1m"  # default
    hold   = "10s" # default
    max    = "5m"  # default
  }
  track "router" {
    check   = check.router
    address = "198.51.100.1" # default: the member's own
    penalty = 190            # default
    unfit   = false          # default
  }
  sync = { # default: connections are not copied
    id      = 51                 # default: that of vrrp
    network = network.edge["us"] # default: the members'
  }
}
network "gate" {
  region = region.us
  cidr   = "10.20.0.0/24"
}
director "gate" {
  for_each = { a = 1, b = 2 }
  network  = network.edge["us"]
  address  = "198.51.100.2${each.value}"
  tags     = { rack = "r${3 + each.value}" }
  inside   = { network = network.gate, address = "10.20.0.${each.value}" }
}
failover "gate" { # a pair behind another tier, and the gateway of a farm
  members = values(director.gate)
  address = "198.51.100.20"
  inside = {
    network = network.gate
    address = "10.20.0.254"
  }
  vrrp = { preempt_delay = "30s" }
}

farm "web" {
  for_each = local.cells
  network  = network.inside[each.key]
  gateway  = director.nat[each.key] # NAT: the servers' default route
  server "web" {
    for_each           = range(2)
    address            = cidrhost(parent.value.net, 10 + each.value)
    weight             = 1    # default
    port               = 8080 # NAT only; default: the service's
    throughput         = "400KB/s"
    max_connections    = 5000 # default: no bound
    resume_connections = 4000 # default: three quarters of max_connections
    #- tunnel = true # default
  }
}
farm "gate" {
  network = network.gate
  gateway = failover.gate
  server "web" {
    for_each = range(2)
    address  = "10.20.0.${10 + each.value}"
  }
}
farm "near" {
  network = network.edge["us"]
  #- agent   = check.load
  server "web" {
    address    = "198.51.100.31"
    throughput = "1200KB/s"
  }
}
farm "far" {
  region = region.us # instead of network: reached by routing
  server "web" {
    address = "198.51.100.131"
  }
}

check "router" {
  type = "icmp"
}
check "web" {
  type       = "http"
  port       = 80                   # default: the destination's
  path       = "/"                  # default
  method     = "GET"                # default
  http2      = false                # default
  host       = "www.g.shop.example" # default: the address
  interval   = "500ms"
  timeout    = "450ms"
  rise       = 2     # default
  fall       = 3     # default
  jitter     = "20%" # default
  slow_start = "20s" # default: the weight is whole at once
  flap = {
    count  = 4     # default
    window = "5m"  # default
    hold   = "30s" # default
    max    = "10m" # default
  }
  expect = {
    status  = [200, "204-206"] # default: 200 to 399
    text    = "server="
    pattern = "^server="
  }
}
#- check "slow" {
#-   type     = "https"
#-   interval = "2s"  # default
#-   timeout  = "1s"  # default
#-   verify   = false # default
#-   headers  = { X-Probe = "gslb" }
#-   expect = {
#-     certificate_days = 14
#-     sha256           = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#-   }
#- }
#- check "imap" {
#-   type   = "tcp"
#-   port   = 143
#-   send   = "a CAPABILITY\r\n"
#-   expect = { pattern = "(?m)^a OK" }
#- }
#- check "smtp" {
#-   type     = "smtp"
#-   port     = 25
#-   helo     = "check.example" # default: the address that asks
#-   host     = "mx.example"    # with starttls: the name in the certificate
#-   starttls = true            # default: false
#-   verify   = true
#- }
#- check "load" {
#-   type = "agent"
#-   port = 9707
#-   send = "node-a\n"
#- }
#- check "wanted" {
#-   type   = "file"
#-   file   = "/run/gslb/out/{address}"
#-   expect = { exists = false } # default: true
#- }
#- check "fresh" {
#-   type   = "file"
#-   file   = "/var/lib/replica/state"
#-   expect = { text = "in sync", max_age = "5m" }
#- }
#- check "dns" {
#-   type       = "dns"
#-   port       = 53
#-   query      = "www.g.shop.example"
#-   query_type = "A" # default: A
#-   expect = {
#-     rcode  = ["NOERROR"] # default: NOERROR
#-     answer = ["192.0.2.5"]
#-   }
#- }
#- check "grpc" {
#-   type         = "grpc"
#-   port         = 50051
#-   tls          = false # default: false
#-   grpc_service = "shop.Cart" # default: the server as a whole
#- }
#- check "exec" {
#-   type        = "exec"
#-   command     = ["/usr/lib/gslb/check-db", "--quick"]
#-   environment = { PGUSER = "check" }
#-   user        = "nobody"  # default under root
#-   group       = "nogroup" # default: the user's
#- }

virtual_service "eu" {
  region = region.eu
  vip    = cidrhost(local.edges["eu"], 5)
  ports  = ["tcp/80"]
  check  = check.web # default: connect to the first TCP port
  #- anycast = false # default
  sorry = "local" # or an address: "192.0.2.40"
  persistence = {
    timeout  = "5m" # default
    netmask  = 24   # default: 32
    netmask6 = 64   # default: 128
  }
  quorum = {
    min_up  = "50%"      # default: 1
    restore = "60%"      # default: min_up
    by      = "count"    # default; or weight
    on_loss = "withdraw" # default; or keep
  }
  tier "front" {
    directors = [director.front["eu"]]
    method    = "dr"
    scheduler = "mh"         # default before the last tier
    flags     = ["fallback"] # default for mh and sh
  }
  tier "nat" {
    directors = [for k, d in director.nat : d]
    method    = "nat"
    scheduler = "wlc" # default in the last tier
    farms     = [for k, f in farm.web : f]
    check     = check.web # default: the service's
    #- fullnat = false # default
    sorry   = ["192.0.2.41"] # default: the service's
    inhibit = false          # default: true for TCP by sh and mh
    persistence = {          # default: the service's
      timeout  = "5m" # default
      netmask  = 24   # default: 32
      netmask6 = 64   # default: 128
    }
    quorum = { # default: the service's
      min_up  = 1          # default; of those behind each director
      restore = 2          # default: min_up
      by      = "count"    # default
      on_loss = "withdraw" # default
    }
  }
}
virtual_service "us" {
  region = region.us
  vip    = cidrhost(local.edges["us"], 5)
  ports  = ["tcp/80"]
  check  = check.web
  tier "tun" {
    directors = [director.front["us"]]
    method    = "tun"
    farms     = [farm.near, farm.far]
    #- encap      = "gue" # default: "ipip"
    #- encap_port = 6080  # default
    one_packet = false # UDP only; default: false
  }
}
virtual_service "gate" {
  region = region.us
  vip    = "198.51.100.7"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front["us"]]
    method    = "tun"
  }
  tier "gate" {
    directors = [failover.gate]
    method    = "nat"
    scheduler = "mh" # default where a pair forwards
    farms     = [farm.gate]
  }
}
virtual_service "mark" {
  region = region.us
  vip    = "198.51.100.6"
  ports  = ["tcp/80"]
  fwmark = 7 # all its ports are one service
  tier "tun" {
    directors = [failover.front]
    method    = "tun"
    farms     = [farm.near]
  }
}

policy "global" { # steps run in order; default: health, weight, rotate, limit with 1 answer
  step "health" {
    fail_open = true # default
  }
  step "policy" { # as many as there are policies
    policy = policy.place # its steps stand here
  }
  #- step "capacity" {}
  step "weight" {}
  step "rotate" {}
  step "limit" {
    answers = 1 # default
  }
}
policy "map" {
  step "prefixes" {
    default = region.eu # default: none, the next step decides
  }
}
policy "place" {
  step "geo" {} # without databases the regions' prefixes alone
  #- step "asn" {}
  #- step "nearest" {}
}
policy "kept" {
  step "health" {
    fail_to = region.eu # instead of fail_open
  }
  step "policy" { policy = policy.map }
  step "sticky" {}
  step "limit" {}
}
policy "all" { # default where answers are hosts
  step "health" {}
}
policy "primary" {
  step "health" {}
  step "failover" {}
}

domain "www" {
  zone    = zone.shop
  ttl     = "5s" # default: "30s"
  policy  = policy.global
  min_ttl = "2s"           # default: ttl
  types   = ["A", "HTTPS"] # default: A and AAAA
  params = {               # of HTTPS and SVCB, beside the hints
    alpn = ["http/1.1"]
    port = 80
  }
  answer "eu" {
    service = virtual_service.eu
    weight  = 1 # default
  }
  answer "us" {
    service = virtual_service.us
    region  = region.us # default: the service's
    bias    = 10        # default: the region's
  }
}
domain "kept" {
  policy = policy.kept
  answer "eu" { service = virtual_service.eu }
  answer "us" { service = virtual_service.us }
}
domain "static" {
  name = "static.g.shop.example." # default: the label
  answer "eu" {                   # addresses instead of a service
    addresses = ["192.0.2.5"]
    region    = region.eu
    check     = check.web # default for addresses: none, they are up
  }
}
domain "chat" {
  name   = "_xmpp-client._tcp"
  policy = policy.all
  types  = ["SRV"] # or ["MX"]; ["HTTPS", "SVCB"] without addresses of its own
  answer "eu" {
    service  = virtual_service.eu # whose health decides
    target   = "static"
    port     = 5222 # default: the service's, when it has one
    priority = 1    # default; lower ones first
    weight   = 5
  }
  answer "else" {
    target   = "chat.shop.example."
    priority = 2
    port     = 5222
  }
}
domain "media" {
  policy = policy.primary
  answer "eu" { service = virtual_service.eu }
  answer "cdn" {
    cname = "cdn.shop.example." # a name instead of a service, answered alone
  }
}
