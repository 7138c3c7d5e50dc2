region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}

cluster {
  key  = secret("file:/etc/gslb/cluster.key")
  port = 7353
}
geoip {
  city = "/var/lib/gslb/city.mmdb"
}
zone "shop" {
  name   = "shop.example"
  dnssec = { algorithm = "ECDSAP256SHA256", keys = secret("file:/etc/gslb/dnssec") } # ERROR GS020: Not available yet
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53", "198.51.100.54"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["192.0.2.55"]
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
director "nat" {
  network = network.edge
  address = "192.0.2.21"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5"]
  vrrp    = { id = 51, advert = "100ms", preempt_delay = "30s" }
  sync    = { id = 51 }
}
farm "web" {
  network = network.inside
  gateway = director.nat
  server "a" {
    address = "10.10.1.10"
  }
}
check "name" {
  type = "tcp"
}
virtual_service "www" {
  region  = region.eu
  vip     = "192.0.2.5"
  ports   = ["tcp/8000-8099"] # ERROR GS020: Not available yet
  check   = check.name
  anycast = true # ERROR GS020: Not available yet
  tier "front" {
    directors  = [failover.front]
    method     = "tun"
    encap      = "gue" # ERROR GS020: Not available yet
    encap_port = 6081  # ERROR GS020: Not available yet
  }
  tier "nat" {
    directors = [director.nat] # WARN GS238: Single NAT director
    method    = "nat"
    farms     = [farm.web]
    fullnat   = true # ERROR GS020: Not available yet
  }
}
policy "near" {
  step "health" {}
  step "capacity" {} # ERROR GS020: Not available yet
}
domain "www" {
  zone   = zone.shop
  policy = policy.near
  answer "a" { cname = "cdn.example." }
}
domain "*" { # ERROR GS020: Not available yet
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
