region "eu" {}
zone "shop" {
  name = "shop.example"
  record "@" {
    type = "MX"
    data = [
      "10 mail",
      "10 MAIL.shop.example.", # ERROR GS114: Duplicate record
    ]
  }
  record "www" {
    type = "A"
    data = "203.0.113.1"
  }
  record "www" {
    type = "a"
    data = "203.0.113.1" # ERROR GS114: Duplicate record
  }
}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["198.51.100.54"]
}
