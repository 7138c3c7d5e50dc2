# Every check that can be made through a VIP, by tunnels and by NAT behind them,
# and agents beside them.
region "eu" {}

network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8:1::/64"]
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}

zone "z" { name = "z.example" }
nameserver "ns" {
  for_each  = { a = "192.0.2.53", b = "192.0.2.54" }
  region    = region.eu
  addresses = [each.value]
}

defaults {
  check = {
    interval = "3s"
    timeout  = "2900ms"
    rise     = 1
  }
}
check "mail" {
  type     = "smtp"
  port     = 25
  starttls = true
}
check "two" {
  type   = "https"
  host   = "www.z.example"
  http2  = true
  expect = { pattern = "^server=" }
}
check "cart" {
  type         = "grpc"
  port         = 50051
  grpc_service = "shop.Cart"
}
check "names" {
  type  = "dns"
  port  = 53
  query = "www.z.example"
}
check "load" {
  type = "agent"
  port = 9707
}

director "front" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8:1::11"]
}
director "nat" {
  network = network.edge
  address = "192.0.2.21"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
farm "near" {
  network = network.edge
  agent   = check.load
  server "s" {
    for_each = range(2)
    address  = [cidrhost("192.0.2.0/24", 48 + each.value), cidrhost("2001:db8:1::/64", 48 + each.value)]
  }
}
farm "behind" {
  network = network.inside
  gateway = director.nat
  agent   = check.load
  server "s" {
    for_each = range(2)
    address  = cidrhost("10.10.1.0/24", 48 + each.value)
  }
}

virtual_service "tunnelled" {
  for_each = {
    mail  = { host = 101, port = "tcp/25", check = check.mail }
    two   = { host = 102, port = "tcp/443", check = check.two }
    cart  = { host = 104, port = "tcp/50051", check = check.cart }
    names = { host = 105, port = "udp/53", check = check.names }
    load  = { host = 106, port = "tcp/80", check = check.load }
  }
  region = region.eu
  vip    = [cidrhost("192.0.2.0/24", each.value.host), cidrhost("2001:db8:1::/64", each.value.host)]
  ports  = [each.value.port]
  tier "one" {
    directors = [director.front]
    method    = "tun"
    farms     = [farm.near]
    check     = each.value.check
  }
}
virtual_service "behind" {
  for_each = {
    mail  = { host = 111, port = "tcp/25", check = check.mail }
    names = { host = 112, port = "udp/53", check = check.names }
  }
  region = region.eu
  vip    = cidrhost("192.0.2.0/24", each.value.host)
  ports  = [each.value.port]
  check  = each.value.check
  tier "front" {
    directors = [director.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    farms     = [farm.behind]
  }
}

domain "mail" {
  zone = zone.z
  ttl  = "5s"
  answer "near" { service = virtual_service.behind["mail"] }
}
