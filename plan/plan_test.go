package plan

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestSampledClientsAreSpread(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		bits, part := 24, 4
		if v6 {
			bits, part = 48, 7
		}
		networks, parts := map[netip.Prefix]bool{}, map[netip.Prefix]int{}
		for n := range Sampled {
			a := client(n, v6).Addr()
			if a.Is6() != v6 || !a.IsGlobalUnicast() {
				t.Fatalf("client %d is %s", n, a)
			}
			network, _ := a.Prefix(bits)
			networks[network] = true
			wide, _ := a.Prefix(part)
			parts[wide]++
		}
		if len(networks) != Sampled {
			t.Errorf("%d different networks, want %d", len(networks), Sampled)
		}
		for p, n := range parts {
			if n < Sampled/20 || n > Sampled/12 {
				t.Errorf("%d of the clients are in %s, want about a fourteenth or a sixteenth", n, p)
			}
		}
	}
}

// A front and the directors behind it choose by the client's address: who moves
// at either moves, and nobody twice.
func TestClientsMoveThroughTheTiers(t *testing.T) {
	p := Make(large(200, 3), large(200, 5))
	if len(p.Impact.Services) != 1 {
		t.Fatalf("services: %+v", p.Impact.Services)
	}
	got := p.Impact.Services[0]
	if got.Moved < 0.05 || got.Moved > 0.25 { // one of 19 goes and another comes
		t.Errorf("%s of clients move", percent(got.Moved))
	}
	if diff := cmp.Diff([]string{"mh"}, got.Hashed); diff != "" || len(got.Ended) != 10 {
		t.Errorf("schedulers %s, %d destinations whose connections end; want 10", diff, len(got.Ended))
	}
	if p.Summary != (Summary{Directors: 10, RealServers: 10, Add: 20, Remove: 10}) {
		t.Errorf("summary %+v", p.Summary)
	}
}

func TestScreenOfManyIsCut(t *testing.T) {
	var normal, full, brief strings.Builder
	p := Make(large(2000, 3), large(2000, 5))
	p.Text(&normal, Normal, false)
	p.Text(&full, Full, false)
	p.Text(&brief, Brief, false)
	if n := strings.Count(normal.String(), "\n"); n > 250 {
		t.Errorf("a normal screen of 200 changes has %d lines", n)
	}
	if !strings.Contains(normal.String(), "... and 80 more directors (--detail=full)") {
		t.Errorf("the screen does not count what it leaves out:\n%s", normal.String())
	}
	if strings.Contains(full.String(), "--detail") || strings.Count(full.String(), "director.nat[") < 100 {
		t.Error("a full screen leaves something out")
	}
	if strings.Contains(brief.String(), "director.nat") {
		t.Errorf("a summary shows changes:\n%s", brief.String())
	}
	var coloured strings.Builder
	p.Text(&coloured, Normal, true)
	if !strings.Contains(coloured.String(), "\x1b[32m+\x1b[0m tcp") {
		t.Error("what comes is not green")
	}
}

func TestJSONHasListsEverywhere(t *testing.T) {
	text, err := json.Marshal(Make(&topology.Topology{MaxRemove: 1}, large(200, 3)))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("null in %.500s", text)
	}
}

func TestManualKnowsEveryDanger(t *testing.T) {
	manual, err := os.ReadFile("../doc/manual/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	for code := range details {
		if !strings.Contains(string(manual), "`"+code+"`") {
			t.Errorf("doc/manual/plan.md does not know %s", code)
		}
	}
}

func TestNumbersInWords(t *testing.T) {
	for want, got := range map[string]string{
		"0 %": percent(0), "100 %": percent(1), "less than 0.1 %": percent(0.0002), "99.9 %": percent(0.9999), "33.3 %": percent(1. / 3),
		"1": thousands(1), "999": thousands(999), "4,096": thousands(4096), "1,234,567": thousands(1234567),
		"1h": span(time.Hour), "1m30s": span(90 * time.Second), "10m": span(10 * time.Minute), "500ms": span(500 * time.Millisecond), "1h0m1s": span(time.Hour + time.Second),
	} {
		if want != got {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
