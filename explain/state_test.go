package explain

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
)

func TestReadState(t *testing.T) {
	got, err := ReadState([]byte(`{"format_version": 1, "down": ["region.us", "director.nat[eu1]"], "targets": [
		{"address": "192.0.2.5:80", "up": false},
		{"check": "check.web", "address": "[2001:db8::5]:443", "via": "2001:db8::21", "up": true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := State{Down: []string{"region.us", "director.nat[eu1]"}, Targets: map[health.Target]bool{
		{Addr: netip.MustParseAddrPort("192.0.2.5:80")}:                                                                    false,
		{Check: "check.web", Addr: netip.MustParseAddrPort("[2001:db8::5]:443"), Via: netip.MustParseAddr("2001:db8::21")}: true,
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadStateRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                      {"", "EOF"},
		"no version":                   {`{"down": []}`, `"format_version" is missing: this program reads 1`},
		"another version":              {`{"format_version": 2}`, `"format_version" is 2: this program reads 1`},
		"an unknown field":             {`{"format_version": 1, "dwon": []}`, `unknown field "dwon"`},
		"an unknown field of a target": {`{"format_version": 1, "targets": [{"address": "192.0.2.5:80", "up": true, "by": "x"}]}`, `unknown field "by"`},
		"a target without an address":  {`{"format_version": 1, "targets": [{"up": true}]}`, `targets[0] has no "address"`},
		"a target without a state":     {`{"format_version": 1, "targets": [{"address": "192.0.2.5:80"}]}`, `targets[0], 192.0.2.5:80, has no "up"`},
		"a target that is both":        {`{"format_version": 1, "targets": [{"address": "192.0.2.5:80", "up": true}, {"address": "192.0.2.5:80", "up": false}]}`, `targets[1], the default check of 192.0.2.5:80, is up and down`},
		"an address without a port":    {`{"format_version": 1, "targets": [{"address": "192.0.2.5", "up": true}]}`, `not an ip:port`},
		"two objects":                  {`{"format_version": 1} {}`, "something follows the object"},
		"too much":                     {`{"format_version": 1}` + strings.Repeat(" ", MaxState), "has more than 67108864 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadState([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Whatever a state file holds, reading it ends, and what has been read names
// each target once and validly.
func FuzzReadState(f *testing.F) {
	for _, s := range []string{
		`{"format_version": 1, "down": ["region.us"], "targets": [{"check": "check.web", "address": "192.0.2.5:80", "via": "192.0.2.21", "up": false}]}`,
		`{"format_version": 1, "targets": [{"address": "", "up": true}]}`,
		`{"format_version": 1} x`, `[]`, `null`, `{"format_version": null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		state, err := ReadState(text)
		if err != nil {
			if len(state.Down)+len(state.Targets) > 0 {
				t.Errorf("%v together with %v", err, state)
			}
			return
		}
		for target := range state.Targets {
			if !target.Addr.IsValid() {
				t.Errorf("target %v", target)
			}
		}
	})
}
