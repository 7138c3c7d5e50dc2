package geo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"gslb/steering"
)

// world writes databases of n networks, half of each family, of sizes and with
// as many different places as a City database has: one for eight networks.
func world(b *testing.B, n int) Files {
	b.Helper()
	random := rand.New(rand.NewPCG(1, uint64(n)))
	countries := []string{"DE", "US", "FR", "JP", "BR", "ZA", "AU", "IN", "CN", "GB"}
	places := make([]mmdbtype.Map, n/8)
	for i := range places {
		c := countries[random.IntN(len(countries))]
		p := nested(continentOf[c], c, float64(random.IntN(1_600_000))/1e4-80, float64(random.IntN(3_600_000))/1e4-180)
		p["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(fmt.Sprintf("Town %d", i))}}
		places[i] = p
	}
	write := func(kind string, n int, record func() mmdbtype.DataType) string {
		w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true, RecordSize: 32})
		if err != nil {
			b.Fatal(err)
		}
		step := uint64(1<<32) / uint64(n/2+1)
		for i := range n {
			var p netip.Prefix
			if i%2 == 0 {
				var a [4]byte
				binary.BigEndian.PutUint32(a[:], uint32(uint64(i/2)*step))
				p, _ = netip.AddrFrom4(a).Prefix(24)
			} else {
				var a [16]byte
				binary.BigEndian.PutUint64(a[:8], 0x2400_0000_0000_0000+uint64(i/2)<<24)
				p, _ = netip.AddrFrom16(a).Prefix(40)
			}
			n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
			if err := w.Insert(n, record()); err != nil && p.Addr().Is4() {
				b.Fatal(err)
			}
		}
		var out bytes.Buffer
		if _, err := w.WriteTo(&out); err != nil {
			b.Fatal(err)
		}
		path := filepath.Join(b.TempDir(), kind+".mmdb")
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			b.Fatal(err)
		}
		b.Logf("%s: %d networks, %.1f MB", kind, n, float64(out.Len())/1e6)
		return path
	}
	return Files{
		City: write("City", n, func() mmdbtype.DataType { return places[random.IntN(len(places))] }),
		ASN:  write("ASN", n/10, func() mmdbtype.DataType { return system(uint32(1 + random.IntN(70_000))) }),
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			files := world(b, n)
			b.ReportAllocs()
			before := heap()
			var m *Map
			for b.Loop() {
				var err error
				if m, err = Load(files); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heap()-before)/1e6, "MB-kept")
			prefixes := 0
			m.Walk(func(netip.Prefix, steering.Where) bool { prefixes++; return true })
			b.ReportMetric(float64(prefixes), "prefixes")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	files := world(b, 1_000_000)
	data, err := os.ReadFile(files.City)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := verified(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	m, err := Load(world(b, 1_000_000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m.Walk(func(netip.Prefix, steering.Where) bool { return true })
	}
}
