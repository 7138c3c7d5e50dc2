zone "shop" { name = "shop.example" } # ERROR GS103: Zone without name servers
domain "www" {
  zone = zone.shop
  answer "a" { addresses = ["203.0.113.1"] }
}
