package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"gslb/steering"
	"gslb/topology"
)

// writeDatabase is the program mmdb of the scripts: mmdb TYPE IN OUT makes a
// database of lines "NETWORK JSON".
func writeDatabase() {
	text, err := os.ReadFile(os.Args[2])
	if err == nil {
		var data []byte
		if data, err = geoDatabase(os.Args[1], string(text)); err == nil {
			err = os.WriteFile(os.Args[3], data, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func geoDatabase(kind, text string) ([]byte, error) {
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, BuildEpoch: 1_750_000_000, IncludeReservedNetworks: true})
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		network, record, _ := strings.Cut(line, " ")
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			return nil, err
		}
		var v any
		if err := json.Unmarshal([]byte(record), &v); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		if err := w.Insert(n, geoValue(v)); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	_, err = w.WriteTo(&out)
	return out.Bytes(), err
}

func geoValue(v any) mmdbtype.DataType {
	switch v := v.(type) {
	case map[string]any:
		m := mmdbtype.Map{}
		for k, x := range v {
			m[mmdbtype.String(k)] = geoValue(x)
			if n, is := x.(float64); is && k == "autonomous_system_number" {
				m[mmdbtype.String(k)] = mmdbtype.Uint32(n)
			}
		}
		return m
	case float64:
		return mmdbtype.Float64(v)
	}
	return mmdbtype.String(fmt.Sprint(v))
}

// putCity puts a database of one network at path, as an operator should: it is
// written beside it and renamed.
func putCity(t *testing.T, path, network, country string) {
	t.Helper()
	data, err := geoDatabase("Test-City", fmt.Sprintf(`%s {"country_code":%q}`, network, country))
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, data)
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// steered is a topology whose www is at 127.0.0.2 for Germany and at 127.0.0.3
// for France.
func steered(city string) *topology.Topology {
	topo := small(80, "127.0.0.2", "127.0.0.3")
	topo.GeoIP = &topology.GeoIP{City: city}
	topo.Domains[0].Policy = &topology.Policy{Steps: []topology.Step{{Kind: topology.StepGeo}}}
	for i, country := range []string{"DE", "FR"} {
		r := &topology.Region{ID: "region." + country, Countries: []string{country}}
		topo.Regions = append(topo.Regions, r)
		topo.Domains[0].Answers[i].Region, topo.Domains[0].Answers[i].Check = r, nil
	}
	return topo
}

// What the databases say counts at once, a broken one never.
func TestServeSteersByGeoDatabases(t *testing.T) {
	defer func(before time.Duration) { lookEvery = before }(lookEvery)
	lookEvery = 50 * time.Millisecond
	path := filepath.Join(t.TempDir(), "city.mmdb")
	putCity(t, path, "127.0.0.0/8", "DE")
	r := startServe(t, func() (*topology.Topology, error) { return steered(path), nil })
	if diff := cmp.Diff("NOERROR 127.0.0.2", r.ask(t)); diff != "" {
		t.Errorf("at first (-want +got)\n%s", diff)
	}
	putCity(t, path, "127.0.0.0/8", "FR")
	eventually(t, "the new database", func() bool { return r.ask(t) == "NOERROR 127.0.0.3" })
	put(t, path, []byte("oops"))
	eventually(t, "the broken database to be told", func() bool { return strings.Contains(r.log(), "refused") })
	time.Sleep(5 * lookEvery)
	if n := strings.Count(r.log(), "geo databases refused, those loaded before stay"); n != 1 {
		t.Errorf("told %d times:\n%s", n, r.log())
	}
	r.hup <- syscall.SIGHUP // the files are read again, the databases that are loaded stay
	eventually(t, "the reload", func() bool { return strings.Contains(r.log(), "topology reloaded") })
	if diff := cmp.Diff("NOERROR 127.0.0.3", r.ask(t)); diff != "" {
		t.Errorf("with a broken database (-want +got)\n%s", diff)
	}
	putCity(t, path, "127.0.0.0/8", "DE")
	eventually(t, "a good database again", func() bool { return r.ask(t) == "NOERROR 127.0.0.2" })
}

func TestServeRefusesDatabases(t *testing.T) {
	folder := t.TempDir()
	putCity(t, folder+"/city.mmdb", "192.0.2.0/24", "DE")
	for name, c := range map[string]struct {
		change func(*topology.Topology)
		want   string
	}{
		"that are not there": {func(topo *topology.Topology) { topo.GeoIP.City = folder + "/none.mmdb" },
			"geo database FOLDER/none.mmdb: no such file or directory"},
		"that cannot say what a step needs": {func(topo *topology.Topology) { topo.Domains[0].Policy.Steps[0].Kind = topology.StepNearest },
			"geo database FOLDER/city.mmdb: it has no coordinates, and a policy chooses the nearest region: a City database has them"},
		"when one is missing": {func(topo *topology.Topology) { topo.Regions[0].ASNs = []uint32{64500} },
			"no geo database is named as asn: a region is chosen by autonomous system"},
	} {
		t.Run(name, func(t *testing.T) {
			topo := steered(folder + "/city.mmdb")
			c.change(topo)
			var out, errs screen
			err := serve(t.Context(), &out, &errs, nil, func() (*topology.Topology, error) { return topo, nil }, doors{listen: []string{"127.0.0.1:0"}}, &replyFlags{}, place{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, strings.ReplaceAll(err.Error(), folder, "FOLDER")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhichRuleDecides(t *testing.T) {
	eu := &topology.Region{ID: "region.eu", Location: &topology.Point{Lat: 50.1, Lon: 8.7}, Countries: []string{"DE"}, Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	us := &topology.Region{ID: "region.us", Location: &topology.Point{Lat: 39, Lon: -77.5}, Continents: []string{"NA"}, ASNs: []uint32{64500}}
	near := &topology.Policy{ID: "policy.near"}
	for _, k := range []topology.StepKind{topology.StepHealth, topology.StepPrefixes, topology.StepASN, topology.StepGeo, topology.StepNearest} {
		near.Steps = append(near.Steps, topology.Step{Kind: k})
	}
	near.Steps[1].Default = us
	topo := &topology.Topology{Regions: []*topology.Region{eu, us}, Policies: []*topology.Policy{near}}
	for name, c := range map[string]struct {
		addr  string
		where steering.Where
		want  string
	}{
		"the operator's prefix is above the country": {"198.51.100.9", steering.Where{Country: "US", Continent: "NA"},
			"prefixes region.eu prefix 198.51.100.0/24; asn none; geo region.eu prefix 198.51.100.0/24; nearest none"},
		"the system is above the country": {"203.0.113.9", steering.Where{Country: "DE", Continent: "EU", ASN: 64500},
			"prefixes region.us default; asn region.us asn AS64500; geo region.us asn AS64500; nearest none"},
		"a country": {"203.0.113.9", steering.Where{Country: "DE", Continent: "EU", ASN: 64501, Point: &topology.Point{Lat: 40, Lon: -80}},
			"prefixes region.us default; asn none; geo region.eu country DE; nearest region.us nearest 242 km"},
		"a continent": {"2001:db8::9", steering.Where{Country: "CA", Continent: "NA"},
			"prefixes region.us default; asn none; geo region.us continent NA; nearest none"},
		"the nearest": {"2001:db8::9", steering.Where{Country: "FR", Continent: "EU", Point: &topology.Point{Lat: 48.8, Lon: 2.3}},
			"prefixes region.us default; asn none; geo region.eu nearest 485 km; nearest region.eu nearest 485 km"},
		"nothing known": {"2001:db8::9", steering.Where{}, "prefixes region.us default; asn none; geo none; nearest none"},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			for _, s := range looks(topo, netip.MustParseAddr(c.addr), c.where) {
				said = append(said, strings.Join(strings.Fields(s.Step+" "+s.Region+" "+s.Rule+" "+s.By), " "))
			}
			if diff := cmp.Diff(c.want, strings.Join(said, "; ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
