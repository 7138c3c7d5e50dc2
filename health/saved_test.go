package health

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

var addresses = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func TestViewComesBack(t *testing.T) {
	web := Target{Check: "check.web", Addr: netip.MustParseAddrPort("192.0.2.5:80")}
	via := Target{Addr: netip.MustParseAddrPort("[2001:db8::5]:80"), Via: netip.MustParseAddr("2001:db8::7")}
	view := View{
		web: {Known: true, Up: true, Since: epoch, Recovered: true, Flaps: 4, Streak: 1},
		via: {Known: true, Since: epoch},
		{Addr: netip.MustParseAddrPort("192.0.2.9:80")}: {}, // nothing known, nothing kept
	}
	data := view.Encode(epoch.Add(time.Minute))
	got, at, err := ReadView(data)
	if err != nil {
		t.Fatal(err)
	}
	want := View{
		web: {Known: true, Up: true, Since: epoch, Recovered: true, Flaps: 4, Saved: true},
		via: {Known: true, Since: epoch, Saved: true},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(netip.AddrPort{}, netip.Addr{}), addresses, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !at.Equal(epoch.Add(time.Minute)) {
		t.Errorf("saved at %v", at)
	}
	// Until the first result; one that contradicts counts as in any other run.
	check := &topology.Check{Rise: 2, Fall: 2}
	for name, ok := range map[string]bool{"agrees": true, "contradicts": false} {
		if s := got[web].Observe(check, epoch.Add(time.Hour), ok); s.Saved || !s.Up || !s.Since.Equal(epoch) {
			t.Errorf("a result that %s: %+v", name, s)
		}
	}
}

func TestBadSavedViewsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"nothing":             {``, "unexpected end"},
		"torn":                {`{"format_version":1,"targets":[{`, "unexpected end"},
		"of another version":  {`{"format_version":2}`, "format version 2 is not 1"},
		"no address":          {`{"format_version":1,"targets":[{"up":true}]}`, "target 1: no address"},
		"a wrong address":     {`{"format_version":1,"targets":[{"address":"x"}]}`, "not an ip:port"},
		"twice the same":      {`{"format_version":1,"targets":[{"address":"192.0.2.1:1"},{"address":"192.0.2.1:1"}]}`, "target 2: there twice"},
		"from the future":     {`{"format_version":1,"saved_at":"2026-01-01T00:00:00Z","targets":[{"address":"192.0.2.1:1","since":"2026-01-01T00:00:01Z"}]}`, "after it was saved"},
		"negative flaps":      {`{"format_version":1,"targets":[{"address":"192.0.2.1:1","flaps":-1}]}`, "-1 flaps"},
		"something behind it": {`{"format_version":1} {}`, "after top-level value"},
	} {
		if _, _, err := ReadView([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func FuzzReadView(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"saved_at":"2026-01-02T00:00:00Z","targets":[{"check":"check.web","address":"192.0.2.5:80","via":"192.0.2.7","up":true,"since":"2026-01-01T00:00:00Z","flaps":3}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, at, err := ReadView(data)
		if err != nil {
			return
		}
		// What is read is written and read the same.
		again, _, err := ReadView(v.Encode(at))
		if err != nil {
			t.Fatal(err)
		}
		if len(again) != len(v) {
			t.Fatalf("%d targets became %d", len(v), len(again))
		}
		for x, s := range v {
			if got := again[x]; got.Up != s.Up || got.Flaps != s.Flaps || !got.Since.Equal(s.Since) {
				t.Fatalf("%v: %+v became %+v", x, s, got)
			}
		}
	})
}
