package geo

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"gslb/steering"
)

// said is one line for a prefix: "192.0.2.0/24 EU DE 50.1,8.7 AS64500".
func said(p netip.Prefix, w steering.Where) string {
	words := []string{p.String()}
	for _, s := range []string{w.Continent, w.Country} {
		if s != "" {
			words = append(words, s)
		}
	}
	if w.Point != nil {
		words = append(words, fmt.Sprintf("%v,%v", w.Point.Lat, w.Point.Lon))
	}
	if w.ASN != 0 {
		words = append(words, fmt.Sprintf("AS%d", w.ASN))
	}
	return strings.Join(words, " ")
}

func walked(m *Map) []string {
	var lines []string
	m.Walk(func(p netip.Prefix, w steering.Where) bool {
		lines = append(lines, said(p, w))
		return true
	})
	return lines
}

func loaded(t *testing.T, city, asn []byte) *Map {
	t.Helper()
	var f Files
	if city != nil {
		f.City = file(t, "city.mmdb", city)
	}
	if asn != nil {
		f.ASN = file(t, "asn.mmdb", asn)
	}
	m, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatAMapHas(t *testing.T) {
	de, us := nested("EU", "DE", 50.1, 8.7), nested("NA", "US", 39, -77.5)
	for name, c := range map[string]struct {
		options   mmdbwriter.Options
		city, asn []row
		want      []string
	}{
		"each prefix with its place": {
			city: []row{{"192.0.2.0/24", de}, {"2001:db8::/32", us}},
			want: []string{"192.0.2.0/24 EU DE 50.1,8.7", "2001:db8::/32 NA US 39,-77.5"},
		},
		"equal neighbours are joined, as far as a prefix reaches": {
			city: []row{{"198.51.100.0/26", de}, {"198.51.100.64/26", de}, {"198.51.100.128/26", de}, {"198.51.100.192/26", us}},
			want: []string{"198.51.100.0/25 EU DE 50.1,8.7", "198.51.100.128/26 EU DE 50.1,8.7", "198.51.100.192/26 NA US 39,-77.5"},
		},
		"records that differ in names alone are equal": {
			city: []row{{"192.0.2.0/25", de}, {"192.0.2.128/25", mmdbtype.Map{"country_code": mmdbtype.String("DE"), "latitude": mmdbtype.String("50.1"), "longitude": mmdbtype.String("8.7")}}},
			want: []string{"192.0.2.0/24 EU DE 50.1,8.7"},
		},
		"a record within another": {
			city: []row{{"192.0.2.0/24", de}, {"192.0.2.64/26", us}},
			want: []string{"192.0.2.0/26 EU DE 50.1,8.7", "192.0.2.64/26 NA US 39,-77.5", "192.0.2.128/25 EU DE 50.1,8.7"},
		},
		"autonomous systems cut across places": {
			city: []row{{"192.0.2.0/24", de}},
			asn:  []row{{"192.0.2.0/25", system(64500)}, {"198.51.100.0/24", system(64501)}, {"2001:db8::/33", system(64500)}},
			want: []string{"192.0.2.0/25 EU DE 50.1,8.7 AS64500", "192.0.2.128/25 EU DE 50.1,8.7", "198.51.100.0/24 AS64501", "2001:db8::/33 AS64500"},
		},
		"systems alone": {
			asn:  []row{{"192.0.2.0/25", system(64500)}, {"192.0.2.128/25", system(64500)}},
			want: []string{"192.0.2.0/24 AS64500"},
		},
		"IPv4 alone": {
			options: mmdbwriter.Options{IPVersion: 4},
			city:    []row{{"0.0.0.0/1", de}, {"255.255.255.255/32", us}},
			want:    []string{"0.0.0.0/1 EU DE 50.1,8.7", "255.255.255.255/32 NA US 39,-77.5"},
		},
		"IPv6 alone": {
			city: []row{{"2001:db8::/32", us}, {"ffff::/16", us}},
			want: []string{"2001:db8::/32 NA US 39,-77.5", "ffff::/16 NA US 39,-77.5"},
		},
		"all of both families in one record": {
			options: mmdbwriter.Options{DisableIPv4Aliasing: true},
			city:    []row{{"::/1", de}, {"8000::/1", de}},
			want: append([]string{"0.0.0.0/0 EU DE 50.1,8.7"}, func() []string {
				var out []string
				for bits := 96; bits > 0; bits-- {
					a := netip.MustParseAddr("::").As16()
					a[(bits-1)/8] = 1 << (7 - (bits-1)%8)
					out = append(out, fmt.Sprintf("%v EU DE 50.1,8.7", netip.PrefixFrom(netip.AddrFrom16(a), bits)))
				}
				return out
			}()...),
		},
		"all of IPv4 in the record of a network of IPv6": {
			city: []row{{"0.0.0.0/0", de}, {"2001:db8::/32", de}},
			want: []string{"0.0.0.0/0 EU DE 50.1,8.7", "2001:db8::/32 EU DE 50.1,8.7"},
		},
		"what stands for IPv4 in IPv6 is not there twice": {
			options: mmdbwriter.Options{DisableIPv4Aliasing: true},
			city:    []row{{"192.0.2.0/24", de}, {"::ffff:0:0/96", us}, {"2002:c000:0200::/40", us}},
			want:    []string{"192.0.2.0/24 EU DE 50.1,8.7", "2002:c000:200::/40 NA US 39,-77.5"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var city, asn []byte
			if c.city != nil {
				city = database(t, c.options, c.city...)
			}
			if c.asn != nil {
				asn = database(t, mmdbwriter.Options{DatabaseType: "Test-ASN"}, c.asn...)
			}
			got := walked(loaded(t, city, asn))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLayoutsOfRecords(t *testing.T) {
	text := func(s string) mmdbtype.String { return mmdbtype.String(s) }
	for name, c := range map[string]struct {
		record mmdbtype.Map
		want   string
	}{
		"MaxMind's and DB-IP's":                        {nested("SA", "BR", -23.5, -46.6), "SA BR -23.5,-46.6"},
		"a country alone gives its continent":          {mmdbtype.Map{"country": mmdbtype.Map{"iso_code": text("JP")}}, "AS JP"},
		"a continent alone":                            {mmdbtype.Map{"continent": mmdbtype.Map{"code": text("OC")}}, "OC"},
		"flat, with digits for coordinates":            {mmdbtype.Map{"country_code": text("KE"), "city": text("Nairobi"), "latitude": text("-1.28"), "longitude": text("36.8")}, "AF KE -1.28,36.8"},
		"flat, with nothing known but the country":     {mmdbtype.Map{"country_code": text("KE"), "latitude": text(""), "longitude": text("")}, "AF KE"},
		"flat, with a country's name beside":           {mmdbtype.Map{"country": text("Kenya"), "country_code": text("KE"), "continent_code": text("AF")}, "AF KE"},
		"flat, with a system written AS64500":          {mmdbtype.Map{"country_code": text("KE"), "asn": text("AS64500")}, "AF KE"},
		"coordinates of single precision":              {mmdbtype.Map{"location": mmdbtype.Map{"latitude": mmdbtype.Float32(50.1), "longitude": mmdbtype.Float32(8.7)}}, "50.1,8.7"},
		"small letters":                                {mmdbtype.Map{"country_code": text("de")}, "EU DE"},
		"half a place is none":                         {mmdbtype.Map{"country_code": text("DE"), "location": mmdbtype.Map{"latitude": mmdbtype.Float64(50)}}, "EU DE"},
		"a place beyond the poles is none":             {mmdbtype.Map{"country_code": text("DE"), "location": mmdbtype.Map{"latitude": mmdbtype.Float64(91), "longitude": mmdbtype.Float64(8)}}, "EU DE"},
		"0, 0 is where nobody is":                      {mmdbtype.Map{"country_code": text("DE"), "latitude": text("0"), "longitude": text("0")}, "EU DE"},
		"a country that is none leaves the continent":  {nested("EU", "ZZ", 50, 8), "EU 50,8"},
		"a continent that is none follows the country": {nested("XX", "DE", 50, 8), "EU DE 50,8"},
	} {
		t.Run(name, func(t *testing.T) {
			got := walked(loaded(t, database(t, mmdbwriter.Options{}, row{"192.0.2.0/24", c.record}), nil))
			if diff := cmp.Diff([]string{"192.0.2.0/24 " + c.want}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Every country that conf knows has a continent, one.
func TestCountries(t *testing.T) {
	n := 0
	for _, countries := range countriesOf {
		n += len(strings.Fields(countries))
	}
	if n != len(continentOf) || n != 250 {
		t.Errorf("%d countries, %d of them different; want 249 of ISO 3166-1 and XK", n, len(continentOf))
	}
}

// Random networks: the map says what the databases say, prefixes ascend, are
// apart from each other and no two neighbours could be one.
func TestAgainstTheDatabases(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	country := []string{"DE", "FR", "US", "JP"}
	network := func() string {
		var p netip.Prefix
		if random.IntN(2) == 0 {
			p, _ = netip.AddrFrom4([4]byte{byte(random.IntN(4)), byte(random.IntN(256)), byte(random.IntN(256))}).Prefix(6 + random.IntN(20))
		} else {
			p, _ = netip.AddrFrom16([16]byte{0x24, byte(random.IntN(3)), byte(random.IntN(256)), byte(random.IntN(256)), 15: byte(random.IntN(256))}).Prefix(10 + random.IntN(119))
		}
		return p.String()
	}
	for range 40 {
		var city, asn []row
		for range 60 {
			c := country[random.IntN(len(country))]
			city = append(city, row{network(), nested("", c, float64(1+random.IntN(2)), 1)})
			asn = append(asn, row{network(), system(uint32(64500 + random.IntN(3)))})
		}
		f := Files{file(t, "city.mmdb", database(t, mmdbwriter.Options{}, city...)), file(t, "asn.mmdb", database(t, mmdbwriter.Options{}, asn...))}
		m, err := Load(f)
		if err != nil {
			t.Fatal(err)
		}
		places, err := Open(f.City)
		if err != nil {
			t.Fatal(err)
		}
		systems, err := Open(f.ASN)
		if err != nil {
			t.Fatal(err)
		}
		truth := func(a netip.Addr) string {
			c, err := places.Lookup(a)
			if err != nil {
				t.Fatal(err)
			}
			s, err := systems.Lookup(a)
			if err != nil {
				t.Fatal(err)
			}
			c.ASN = s.ASN
			return said(netip.PrefixFrom(a, a.BitLen()), c.Where)
		}
		var before netip.Prefix
		var was steering.Where
		m.Walk(func(p netip.Prefix, w steering.Where) bool {
			if p != p.Masked() {
				t.Fatalf("%v has bits behind its length", p)
			}
			end := lastOf(p)
			for _, a := range []netip.Addr{p.Addr(), end} {
				if diff := cmp.Diff(truth(a), said(netip.PrefixFrom(a, a.BitLen()), w)); diff != "" {
					t.Fatalf("%v: (-want +got)\n%s", p, diff)
				}
			}
			if before.IsValid() {
				if before.Addr().Compare(p.Addr()) >= 0 || before.Contains(p.Addr()) {
					t.Fatalf("%v comes after %v", p, before)
				}
				both := netip.PrefixFrom(before.Addr(), before.Bits()-1).Masked()
				if before.Bits() == p.Bits() && both.Addr() == before.Addr() && both.Contains(p.Addr()) && said(both, was) == said(both, w) {
					t.Fatalf("%v and %v could be %v", before, p, both)
				}
			}
			before, was = p, w
			return true
		})
		for range 500 {
			p := netip.MustParsePrefix(network())
			for _, a := range []netip.Addr{p.Addr(), lastOf(p)} {
				if diff := cmp.Diff(truth(a), said(netip.PrefixFrom(a, a.BitLen()), m.Lookup(a))); diff != "" {
					t.Fatalf("%v: (-want +got)\n%s", a, diff)
				}
			}
		}
	}
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestWalkStops(t *testing.T) {
	m := loaded(t, database(t, mmdbwriter.Options{}, row{"192.0.2.0/24", nested("EU", "DE", 1, 1)}, row{"198.51.100.0/24", nested("EU", "FR", 1, 1)}), nil)
	n := 0
	m.Walk(func(netip.Prefix, steering.Where) bool { n++; return false })
	if n != 1 {
		t.Errorf("%d prefixes after the first was enough", n)
	}
}

func TestLookup(t *testing.T) {
	path := file(t, "city.mmdb", database(t, mmdbwriter.Options{}, row{"192.0.2.0/24", nested("EU", "DE", 50.1, 8.7)}, row{"2001:db8::/32", mmdbtype.Map{"country_code": mmdbtype.String("FR"), "city": mmdbtype.String("Paris")}}))
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ addr, want string }{
		"an address":                       {"192.0.2.9", "192.0.2.0/24 EU DE 50.1,8.7 Town in DE, Land of DE, Continent of EU"},
		"as IPv6 writes it":                {"::ffff:192.0.2.9", "192.0.2.0/24 EU DE 50.1,8.7 Town in DE, Land of DE, Continent of EU"},
		"of a flat record":                 {"2001:db8::1", "2001:db8::/32 EU FR Paris, , "},
		"6to4 is nowhere":                  {"2002:c000:0209::1", "2002:c000:200::/40 nothing"},
		"Teredo is nowhere":                {"2001:0:c000:0209::1", "2001:0:c000:200::/56 nothing"},
		"what the database has nothing on": {"198.51.100.1", "196.0.0.0/6 nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := d.Lookup(netip.MustParseAddr(c.addr))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s, %s, %s", said(e.Network, e.Where), e.City, e.CountryName, e.ContinentName)
			if !e.Found {
				got = e.Network.String() + " nothing"
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
