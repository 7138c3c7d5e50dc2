package geo

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"gslb/steering"
)

func cityFixture(t testing.TB) []byte {
	return database(t, mmdbwriter.Options{},
		row{"192.0.2.0/24", nested("EU", "DE", 50.1, 8.7)}, row{"198.51.100.0/25", nested("NA", "US", 39, -77.5)},
		row{"2001:db8::/32", mmdbtype.Map{"country_code": mmdbtype.String("FR"), "latitude": mmdbtype.String("48.8"), "longitude": mmdbtype.String("2.3")}})
}

func asnFixture(t testing.TB) []byte {
	return database(t, mmdbwriter.Options{DatabaseType: "Test-ASN"}, row{"192.0.2.0/24", system(64500)}, row{"2001:db8::/32", system(64501)})
}

func TestBrokenFilesAreRefused(t *testing.T) {
	city, asn := cityFixture(t), asnFixture(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(city); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	with := func(at int, b ...byte) []byte {
		d := bytes.Clone(city)
		copy(d[at:], b)
		return d
	}
	for name, c := range map[string]struct {
		city, asn []byte
		want      string
	}{
		"an empty file":              {[]byte{}, nil, "it is empty"},
		"text":                       {[]byte("192.0.2.0/24,DE\n"), nil, "it is no database in MaxMind's format, or its end is missing"},
		"a file cut in half":         {city[:len(city)/2], nil, "it is no database in MaxMind's format, or its end is missing"},
		"a file cut within its end":  {city[:len(city)-20], nil, "it is damaged: "},
		"a file without its start":   {city[500:], nil, "it is damaged: "},
		"the packed file":            {packed.Bytes(), nil, "it is compressed: unpack it with gunzip, or tar -xz where it is a .tar.gz"},
		"a ZIP archive":              {[]byte("PK\x03\x04..."), nil, "it is a ZIP archive: unpack it with unzip"},
		"a search tree in a circle":  {with(0, 0, 0, 0, 0, 0, 0, 0), nil, "it is damaged: its search tree goes in a circle or deeper than an address is long"},
		"a pointer out of the file":  {with(0, 0xff, 0xff, 0xff), nil, "it is damaged: its search tree leads to no value"},
		"a record cut short":         {with(bytes.Index(city, []byte("EU"))-1, 0x5c), nil, "it is damaged: "},
		"a record of no type":        {with(bytes.Index(city, []byte("EU"))-1, 0x00, 0x0f), nil, "it is damaged: "},
		"text that is none":          {with(bytes.Index(city, []byte("EU")), 0xff), nil, "it is damaged: "},
		"a City database for asn":    {nil, city, `its type is "Test-City" and no record has the number of an autonomous system: an ASN database is wanted`},
		"an ASN database for city":   {asn, nil, `its type is "Test-ASN" and no record has a country, a continent or coordinates: a City or Country database is wanted`},
		"a database without records": {database(t, mmdbwriter.Options{}), nil, "it has no records"},
		"a record with a list for a country code": {database(t, mmdbwriter.Options{}, row{"192.0.2.0/24", mmdbtype.Map{"country_code": mmdbtype.Slice{mmdbtype.String("DE")}}}), nil,
			`its type is "Test-City" and no record has a country, a continent or coordinates: a City or Country database is wanted`},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "new.mmdb", append(c.city, c.asn...))
			f := Files{City: path}
			if c.asn != nil {
				f = Files{ASN: path}
			}
			m, err := Load(f)
			if err == nil {
				t.Fatalf("loaded: %v", walked(m))
			}
			got, is := strings.CutPrefix(err.Error(), "geo database "+path+": ")
			if !is {
				t.Errorf("the file is not named: %v", err)
			}
			if c.want == "it is damaged: " {
				got = got[:min(len(got), len(c.want))] // the library's words follow
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	if _, err := Load(Files{City: filepath.Join(folder, "none.mmdb")}); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "none.mmdb") != 1 {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(Files{ASN: folder}); err == nil || !strings.HasSuffix(err.Error(), "it is no regular file") {
		t.Errorf("a folder: %v", err)
	}
	large := filepath.Join(folder, "large.mmdb")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Files{City: large}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file too large: %v", err)
	}
}

// Nodes that all lead to the next one twice: 90 of them are 2^90 ways.
func TestTreeWithoutEnd(t *testing.T) {
	data := database(t, mmdbwriter.Options{RecordSize: 32, DisableIPv4Aliasing: true}, row{"2001:db8::1/128", nested("EU", "DE", 1, 1)})
	for n := range uint32(90) {
		for side := range uint32(2) {
			at := n*8 + side*4
			data[at], data[at+1], data[at+2], data[at+3] = 0, 0, 0, byte(n+1)
		}
	}
	_, err := Load(Files{City: file(t, "city.mmdb", data)})
	if err == nil || !strings.Contains(err.Error(), "no end in sight") {
		t.Errorf("got %v", err)
	}
}

// Whatever the bytes: an error or a map that can be walked, and no panic.
func FuzzLoad(f *testing.F) {
	city, asn := cityFixture(f), asnFixture(f)
	f.Add(city)
	f.Add(asn)
	f.Add(database(f, mmdbwriter.Options{RecordSize: 24, IPVersion: 4}, row{"192.0.2.0/24", nested("EU", "DE", 50.1, 8.7)}))
	f.Add(database(f, mmdbwriter.Options{RecordSize: 32}, row{"192.0.2.0/24", system(64500)}, row{"0.0.0.0/1", nested("EU", "DE", 50.1, 8.7)}))
	f.Fuzz(func(t *testing.T, data []byte) { survives(t, data) })
}

// Every byte of a small database, changed in several ways.
func TestEveryByteChanged(t *testing.T) {
	for _, data := range [][]byte{
		database(t, mmdbwriter.Options{RecordSize: 24, IPVersion: 4}, row{"192.0.2.0/24", nested("EU", "DE", 50.1, 8.7)}, row{"198.51.100.0/24", system(64500)}),
		database(t, mmdbwriter.Options{}, row{"192.0.2.0/30", nested("EU", "DE", 50.1, 8.7)}, row{"2001:db8::/40", system(64500)}),
	} {
		for i, b := range data {
			for _, with := range []byte{0, b ^ 1, b ^ 0x20, b ^ 0x80, 0xff} {
				if with == b {
					continue
				}
				data[i] = with
				survives(t, data)
			}
			data[i] = b
		}
	}
}

func survives(t *testing.T, data []byte) {
	reader, err := verified(data)
	if err != nil {
		return
	}
	d := &Database{"fuzz.mmdb", data, reader}
	// What has been verified is walked without an error, but for records of
	// types that no layout has.
	_, _ = d.Info()
	places, where, _, _ := d.cities()
	systems, _ := d.systems()
	m := &Map{runs: merge(places, systems), places: where}
	n := 0
	m.Walk(func(p netip.Prefix, w steering.Where) bool {
		n++
		if n%1000 == 1 {
			if diff := cmp.Diff(said(p, w), said(p, m.Lookup(p.Addr()))); diff != "" {
				t.Fatalf("(-walk +lookup)\n%s", diff)
			}
		}
		return true
	})
	for _, a := range []string{"192.0.2.1", "2001:db8::1", "2002:c000:0201::1"} {
		_, _ = d.Lookup(netip.MustParseAddr(a))
	}
}
