region "eu" { fallback = ["us"] }
region "us" {} # WARN GS301: Region without fallback
zone "shop" { name = "shop.example" }
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
domain "www" {
  zone = zone.shop
  answer "eu" {
    region    = region.eu
    addresses = ["203.0.113.1"]
  }
  answer "us" {
    region    = region.us
    addresses = ["203.0.113.2"]
  }
}
