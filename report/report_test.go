package report

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/tiers"
	"gslb/topology"
)

var (
	keys  = Keys{[]byte("0123456789abcdef"), []byte("fedcba9876543210")}
	epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	same  = cmp.Options{
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	}
)

func service(i int) tiers.Key {
	return tiers.VIPKey(topology.TCP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(2 + i>>8), byte(i)}), 80))
}

// sealed is a datagram that says anything.
func sealed(body string) []byte {
	mac := hmac.New(sha256.New, keys[0])
	mac.Write([]byte(body))
	return fmt.Appendf(nil, "%sseal %x\n", body, mac.Sum(nil))
}

func TestWhatIsSealedIsOpened(t *testing.T) {
	for _, n := range []int{0, 1, 40, 1000} {
		var want, got []Capacity
		for i := range n {
			want = append(want, Capacity{service(i), uint32(i) << 16})
		}
		if n > 0 {
			want[0].Key = tiers.MarkKey(7, true)
		}
		last := time.Time{}
		for _, d := range Seal(keys[:1], `director.nat["a"]`, epoch, want) {
			if len(d) > MaxSize {
				t.Errorf("a datagram of %d bytes", len(d))
			}
			r, err := Open(keys, d)
			if err != nil || r.From != `director.nat["a"]` || !r.Sent.After(last) {
				t.Fatalf("%v (%v) after %v", r, err, last)
			}
			last = r.Sent
			got = append(got, r.Services...)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Errorf("%d services (-want +got)\n%s", n, diff)
		}
	}
}

func TestAnyKeyOpens(t *testing.T) {
	d := Seal(keys[1:], "director.b", epoch, nil)[0]
	if _, err := Open(keys, d); err != nil {
		t.Errorf("sealed with the second key: %v", err)
	}
	if _, err := Open(keys[:1], d); err != ErrSeal {
		t.Errorf("sealed with a key that is not there: %v", err)
	}
	for i := range d {
		bad := bytes.Clone(d)
		bad[i] ^= 1
		if r, err := Open(keys, bad); err == nil {
			t.Fatalf("with byte %d changed it is %v", i, r)
		}
	}
}

func TestBadDatagrams(t *testing.T) {
	for body, want := range map[string]string{
		"gslb-capacity 2\nfrom a\nsent 1\n":                      "it is of another version",
		head + "from a\n":                                        "it breaks off",
		head + "form a\nsent 1\n":                                "from: missing or too long",
		head + "from " + strings.Repeat("a", 501) + "\nsent 1\n": "from: missing or too long",
		head + "from a\nsent yesterday\n":                        "sent: not a time",
		head + "from a\nsent -1\n":                               "sent: not a time",
		head + "from a\nsent 1\nmany tcp 192.0.2.5:80\n":         `capacity "many": not a number up to 4294967295`,
		head + "from a\nsent 1\n1 tcp 192.0.2.5\n":               `service "tcp 192.0.2.5": not an ip:port`,
	} {
		if _, err := Open(keys, sealed(body)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
	for name, d := range map[string][]byte{"nothing": nil, "no seal": []byte(head), "too large": make([]byte, MaxSize+1)} {
		if _, err := Open(keys, d); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
}

func TestKeys(t *testing.T) {
	got, err := ParseKeys("# of the cluster\n0123456789abcdef\n\n  fedcba9876543210\r\n")
	if diff := cmp.Diff(keys, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for text, want := range map[string]string{"": "there is no key in it", "# x": "there is no key in it", "\nshort\n": "line 2: a key of 5 characters is shorter than 16"} {
		if _, err := ParseKeys(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestHeard(t *testing.T) {
	var h Heard
	all := func(from tiers.From) (tiers.From, bool) { return from, true }
	take := func(name string, sent, now time.Duration, weight uint32, news bool, want string) {
		t.Helper()
		r := Report{From: "director.a", Sent: epoch.Add(sent), Services: []Capacity{{service(1), weight}}}
		got, err := h.Take(r, epoch.Add(now), all)
		if text := fmt.Sprint(err); got != news || !strings.Contains(text, want) {
			t.Errorf("%s: news %v, want %v; %v, want %s", name, got, news, err, want)
		}
	}
	take("the first", 0, 0, 4, true, "nil")
	take("the same once more", 0, time.Second, 4, false, "not newer")
	take("one from before", -time.Second, time.Second, 9, false, "not newer")
	take("nothing new", time.Second, time.Second, 4, false, "nil")
	take("another weight", 2*time.Second, 2*time.Second, 3, true, "nil")
	take("a repetition from long ago", 3*time.Second, 2*time.Minute, 3, false, "clock")
	take("a clock that is ahead", 2*time.Minute, 3*time.Second, 3, false, "clock")
	if _, err := h.Take(Report{From: "director.b", Sent: epoch, Services: []Capacity{{service(1), 1}}}, epoch, func(tiers.From) (tiers.From, bool) { return tiers.From{}, false }); err == nil {
		t.Error("a stranger is heard")
	}
	from := tiers.From{Director: "director.a", Key: service(1)}
	got, next := h.Fresh(epoch.Add(5*time.Second), 10*time.Second)
	if len(got) != 1 || got[from] != 3 || !next.Equal(epoch.Add(12*time.Second)) {
		t.Errorf("fresh are %v until %v", got, next)
	}
	if got, next := h.Fresh(epoch.Add(12*time.Second), 10*time.Second); len(got) != 0 || !next.IsZero() {
		t.Errorf("after that %v until %v", got, next)
	}
	h.Forget(func(tiers.From) bool { return false })
	if got, _ := h.Fresh(epoch, time.Hour); len(got) != 0 {
		t.Errorf("forgotten are %v", got)
	}
}

func FuzzReports(f *testing.F) {
	f.Add([]byte(head + "from a\nsent 1\n1 tcp 192.0.2.5:80\n"))
	f.Add([]byte(head + "from a\nsent 1\n1 fwmark 0x7 v6\nseal 00\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = Open(keys, body)
		if len(body) > 1000 {
			return
		}
		r, err := Open(keys, sealed(string(body)+"\n"))
		if err != nil {
			return
		}
		again, err := Open(keys, Seal(keys, r.From, r.Sent, r.Services)[0])
		if err == nil && len(again.Services) == len(r.Services) {
			if diff := cmp.Diff(r, again, same); diff != "" {
				t.Errorf("sealed again (-want +got)\n%s", diff)
			}
		}
	})
}
