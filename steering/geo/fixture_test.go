package geo

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// A row is a network of a fixture and its record.
type row struct {
	network string
	record  mmdbtype.DataType
}

// nested is a record as MaxMind and DB-IP have it.
func nested(continent, country string, lat, lon float64) mmdbtype.Map {
	return mmdbtype.Map{
		"continent": mmdbtype.Map{"code": mmdbtype.String(continent), "names": mmdbtype.Map{"en": "Continent of " + mmdbtype.String(continent)}},
		"country":   mmdbtype.Map{"iso_code": mmdbtype.String(country), "names": mmdbtype.Map{"en": "Land of " + mmdbtype.String(country)}},
		"city":      mmdbtype.Map{"names": mmdbtype.Map{"en": "Town in " + mmdbtype.String(country)}},
		"location":  mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon)},
	}
}

// system is a record of an ASN database.
func system(n uint32) mmdbtype.Map {
	return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(n), "autonomous_system_organization": mmdbtype.String("Example Net")}
}

func database(t testing.TB, o mmdbwriter.Options, rows ...row) []byte {
	t.Helper()
	if o.DatabaseType == "" {
		o.DatabaseType = "Test-City"
	}
	o.BuildEpoch = 1_750_000_000
	o.IncludeReservedNetworks = true // the documentation's
	w, err := mmdbwriter.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		p := netip.MustParsePrefix(r.network)
		n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
		if err := w.Insert(n, r.record); err != nil {
			t.Fatalf("%s: %v", r.network, err)
		}
	}
	var out bytes.Buffer
	if _, err := w.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// file writes data to a file with that name in a folder of the test's own.
func file(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
