package vrrp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// What goes over the wire, byte for byte. The sums were made by another program, those with
// a trailer are the draft's own examples.
func TestAdvertsOnTheWire(t *testing.T) {
	for name, c := range map[string]struct {
		src, dst string
		advert   Advert
		wire     string
	}{
		"version 3 over IPv4, the checksum over the message alone (RFC 9568, section 5.2.8)": {
			"198.51.100.10", "224.0.0.18",
			Advert{Version: 3, ID: 51, Priority: 200, Interval: time.Second, Addrs: []netip.Addr{addr("192.0.2.100")}, Plain: true},
			"3133c801 0064 4402 c0000264",
		},
		"version 3 over IPv4, with a pseudo-header": {
			"198.51.100.10", "224.0.0.18",
			Advert{Version: 3, ID: 51, Priority: 200, Interval: time.Second, Addrs: []netip.Addr{addr("192.0.2.100")}},
			"3133c801 0064 3935 c0000264",
		},
		"version 2 with a password and two addresses": {
			"192.0.2.11", "224.0.0.18",
			Advert{Version: 2, ID: 7, Priority: 100, Interval: time.Second, Addrs: []netip.Addr{addr("192.0.2.5"), addr("192.0.2.6")}, Auth: 1, Password: "secret"},
			"21076402 0101 b99c c0000205 c0000206 7365637265740000",
		},
		"version 2 without": {
			"192.0.2.11", "224.0.0.18",
			Advert{Version: 2, ID: 7, Priority: 0, Interval: 3 * time.Second, Addrs: []netip.Addr{addr("192.0.2.5")}},
			"21070001 0003 1cef c0000205 0000000000000000",
		},
		"signed, over IPv4 (the draft's example)": {
			"198.51.100.10", "224.0.0.18",
			Advert{Version: 3, ID: 51, Priority: 200, Interval: time.Second, Addrs: []netip.Addr{addr("192.0.2.100")}, Plain: true,
				Trailer: unhex(t, "010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265")},
			"3133c801 0064 4402 c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265",
		},
		"signed, over IPv6 (the draft's example)": {
			"fe80::10", "fe80::20",
			Advert{Version: 3, ID: 51, Priority: 200, Interval: time.Second, Addrs: []netip.Addr{addr("fe80::100")},
				Trailer: unhex(t, "010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78")},
			"3133c801 0064 a2e9 fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78",
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, dst := addr(c.src), addr(c.dst)
			wire := unhex(t, c.wire)
			if diff := cmp.Diff(hex.EncodeToString(wire), hex.EncodeToString(c.advert.Append(nil, src, dst))); diff != "" {
				t.Errorf("written (-want +got)\n%s", diff)
			}
			got, err := Parse(src, dst, wire)
			if err != nil {
				t.Fatal(err)
			}
			if c.advert.Trailer == nil {
				c.advert.Trailer = []byte{}
			}
			if diff := cmp.Diff(c.advert, got, sameAddr); diff != "" {
				t.Errorf("read (-want +got)\n%s", diff)
			}
		})
	}
}

var (
	epoch   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	draft   = Key{1, seq(0, 32)}
	another = Key{2, seq(32, 64)}
)

// seq is n rising bytes.
func seq(first, n byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// The draft's examples are signed as we sign.
func TestSignaturesOfTheDraft(t *testing.T) {
	for _, c := range []struct{ src, wire string }{
		{"198.51.100.10", "3133c80100644402c0000264 010100006800000080000000 1b84bc4e8e43892dc6d98448f8ee2265"},
		{"fe80::10", "3133c8010064a2e9fe800000000000000000000000000100 010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78"},
	} {
		wire := unhex(t, c.wire)
		size := len(wire) - trailerSize
		if err := (Instance{Keys: []Key{draft}}).verify(addr(c.src), wire, size, epoch); err != nil {
			t.Errorf("from %s: %v", c.src, err)
		}
		for i := range wire {
			if i == 6 || i == 7 {
				continue // the checksum is not signed
			}
			wrong := bytes.Clone(wire)
			wrong[i] ^= 1
			if err := (Instance{Keys: []Key{draft}}).verify(addr(c.src), wrong, size, epoch); err == nil {
				t.Errorf("from %s: byte %d was changed, and nobody minds", c.src, i)
			}
		}
	}
}

// pair is an outbox of the node 12 and an inbox of the node 11.
func pair(change func(*Instance)) (Outbox, Inbox) {
	from, to := one(12), one(11)
	change(&from)
	change(&to)
	return Outbox{Instance: from}, Inbox{Instance: to, Interval: time.Second}
}

func reason(err error) string {
	var r *Refusal
	if err == nil {
		return "heard"
	} else if errors.As(err, &r) {
		return r.Reason.String()
	}
	return "another error: " + err.Error()
}

func TestWhatIsHeard(t *testing.T) {
	plain := func(*Instance) {}
	signed := func(in *Instance) { in.Keys = []Key{draft} }
	inTime := func(in *Instance) { in.Keys, in.Window = []Key{draft}, 5*time.Second }
	either := func(in *Instance) { in.Keys = []Key{draft, {}} }
	v2 := func(in *Instance) { in.Version = 2 }
	password := func(in *Instance) { in.Version, in.Password = 2, "secret" }
	v6 := func(in *Instance) {
		last := in.Source.As4()[3]
		*in = Instance{ID: 51, Version: 3, Source: netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: last}), Addrs: []netip.Addr{LinkLocal(51), addr("2001:db8::5")}}
		in.Peers = []netip.Addr{addr("fe80::c")}
	}
	// again makes the checksum right after a change, so that the change is seen.
	again := func(p *Packet) {
		p.Payload[6], p.Payload[7] = 0, 0
		sum := checksum(0, p.Payload)
		if p.Src.Is6() {
			sum = checksum(pseudoHeader(p.Src, p.Dst, len(p.Payload)), p.Payload)
		}
		p.Payload[6], p.Payload[7] = byte(sum>>8), byte(sum)
	}
	for name, c := range map[string]struct {
		both   func(*Instance)
		sender func(*Outbox)
		packet func(*Packet)
		later  time.Duration // the receiver's clock is ahead by
		want   string
	}{
		"version 3":                            {plain, nil, nil, 0, "heard"},
		"version 2":                            {v2, nil, nil, 0, "heard"},
		"version 2, secret":                    {password, nil, nil, 0, "heard"},
		"version 3 for IPv6":                   {v6, nil, nil, 0, "heard"},
		"signed":                               {signed, nil, nil, 0, "heard"},
		"signed, IPv6":                         {func(in *Instance) { v6(in); signed(in) }, nil, nil, 0, "heard"},
		"signed, version 2":                    {func(in *Instance) { v2(in); signed(in) }, nil, nil, 0, "heard"},
		"with a checksum over a pseudo-header": {plain, func(o *Outbox) { o.Pseudo = true }, nil, 0, "heard"},
		"signed, with a checksum over a pseudo-header": {signed, func(o *Outbox) { o.Pseudo = true }, nil, 0, "heard"},
		"TTL 254": {plain, nil, func(p *Packet) { p.Hops = 254 }, 0, "hops"},
		"TTL 254, and a router between is allowed": {func(in *Instance) { in.Unicast, in.Hops = true, 1 }, nil, func(p *Packet) { p.Hops = 254 }, 0, "heard"},
		"TTL 253, and a router between is allowed": {func(in *Instance) { in.Unicast, in.Hops = true, 1 }, nil, func(p *Packet) { p.Hops = 253 }, 0, "hops"},
		"nothing":                                             {plain, nil, func(p *Packet) { p.Payload = nil }, 0, "length"},
		"half a header":                                       {plain, nil, func(p *Packet) { p.Payload = p.Payload[:7] }, 0, "length"},
		"an address that is missing":                          {plain, nil, func(p *Packet) { p.Payload = p.Payload[:8] }, 0, "length"},
		"a byte too many":                                     {plain, nil, func(p *Packet) { p.Payload = append(p.Payload, 0) }, 0, "length"},
		"more than a frame":                                   {plain, nil, func(p *Packet) { p.Payload = append(p.Payload, make([]byte, 2000)...) }, 0, "length"},
		"version 1":                                           {plain, nil, func(p *Packet) { p.Payload[0] = 0x11; again(p) }, 0, "version"},
		"version 4":                                           {plain, nil, func(p *Packet) { p.Payload[0] = 0x41; again(p) }, 0, "version"},
		"type 2":                                              {plain, nil, func(p *Packet) { p.Payload[0] = 0x32; again(p) }, 0, "version"},
		"version 2 where 3 is spoken":                         {plain, func(o *Outbox) { o.Instance.Version = 2 }, nil, 0, "version"},
		"version 3 where 2 is spoken":                         {v2, func(o *Outbox) { o.Instance.Version = 3 }, nil, 0, "version"},
		"another virtual router's":                            {plain, func(o *Outbox) { o.Instance.ID = 52 }, nil, 0, "router"},
		"our own":                                             {plain, func(o *Outbox) { o.Instance.Source = one(11).Source }, nil, 0, "own_address"},
		"a stranger's":                                        {plain, func(o *Outbox) { o.Instance.Source = addr("192.0.2.99") }, nil, 0, "peer"},
		"a stranger's, and everybody is heard":                {func(in *Instance) { in.Open = true }, func(o *Outbox) { o.Instance.Source = addr("192.0.2.99") }, nil, 0, "heard"},
		"a bit that fell over":                                {plain, nil, func(p *Packet) { p.Payload[2] ^= 4 }, 0, "checksum"},
		"a bit that fell over, IPv6":                          {v6, nil, func(p *Packet) { p.Payload[2] ^= 4 }, 0, "checksum"},
		"a bit that fell over, version 2":                     {v2, nil, func(p *Packet) { p.Payload[2] ^= 4 }, 0, "checksum"},
		"another password":                                    {password, func(o *Outbox) { o.Instance.Password = "secrex" }, nil, 0, "password"},
		"no password":                                         {password, func(o *Outbox) { o.Instance.Password = "" }, nil, 0, "password"},
		"a password where there is none":                      {v2, func(o *Outbox) { o.Instance.Password = "secret" }, nil, 0, "password"},
		"the authentication header of RFC 2338":               {v2, nil, func(p *Packet) { p.Payload[4] = 2; again(p) }, 0, "password"},
		"not signed":                                          {signed, func(o *Outbox) { o.Instance.Keys = nil }, nil, 0, "unsigned"},
		"signed where there is no key":                        {plain, func(o *Outbox) { o.Instance.Keys = []Key{draft} }, nil, 0, "unwanted_hmac"},
		"not signed, and may be":                              {either, func(o *Outbox) { o.Instance.Keys = nil }, nil, 0, "heard"},
		"signed, and need not be":                             {either, nil, nil, 0, "heard"},
		"to be signed later":                                  {either, func(o *Outbox) { slices.Reverse(o.Instance.Keys) }, nil, 0, "heard"},
		"signed with no key at all":                           {either, func(o *Outbox) { o.Instance.Keys = []Key{{0, make([]byte, 32)}} }, nil, 0, "key"},
		"signed with a key nobody knows":                      {signed, func(o *Outbox) { o.Instance.Keys = []Key{another} }, nil, 0, "key"},
		"signed with another key of the same number":          {signed, func(o *Outbox) { o.Instance.Keys = []Key{{1, another.Secret}} }, nil, 0, "hmac"},
		"a signature of another kind":                         {signed, nil, func(p *Packet) { p.Payload[12] = 2 }, 0, "hmac"},
		"a signed one with another priority":                  {signed, nil, func(p *Packet) { p.Payload[2]++; p.Payload[6]-- }, 0, "hmac"},
		"the clocks are 5 s apart, and may be":                {inTime, nil, nil, 5 * time.Second, "heard"},
		"the clocks are 6 s apart":                            {inTime, nil, nil, 6 * time.Second, "stale"},
		"the clocks are 6 s apart the other way":              {inTime, nil, nil, -6 * time.Second, "stale"},
		"the clocks are apart, and nobody minds":              {signed, nil, nil, 24 * time.Hour, "heard"},
		"an interval of 0":                                    {plain, nil, func(p *Packet) { p.Payload[4], p.Payload[5] = 0, 0; again(p) }, 0, "interval"},
		"bits that are reserved mean nothing":                 {plain, nil, func(p *Packet) { p.Payload[4] |= 0xf0; again(p) }, 0, "heard"},
		"another interval, version 2":                         {v2, nil, func(p *Packet) { p.Payload[5] = 2; again(p) }, 0, "interval"},
		"another interval, version 3":                         {plain, nil, func(p *Packet) { p.Payload[5] = 10; again(p) }, 0, "heard"},
		"other addresses":                                     {plain, func(o *Outbox) { o.Instance.Addrs = []netip.Addr{addr("192.0.2.77")} }, nil, 0, "addresses"},
		"no addresses":                                        {plain, func(o *Outbox) { o.Instance.Addrs = nil }, nil, 0, "addresses"},
		"one address more":                                    {plain, func(o *Outbox) { o.Instance.Addrs = append(slices.Clone(o.Instance.Addrs), addr("192.0.2.6")) }, nil, 0, "heard"},
		"other addresses, but for the one that the id brings": {v6, func(o *Outbox) { o.Instance.Addrs = []netip.Addr{LinkLocal(51), addr("2001:db8::6")} }, nil, 0, "addresses"},
		"an owner's resignation, as any other":                {plain, nil, func(p *Packet) { p.Payload[2] = 0; again(p) }, 0, "heard"},
	} {
		t.Run(name, func(t *testing.T) {
			out, in := pair(c.both)
			if c.sender != nil {
				c.sender(&out)
			}
			_, packets := out.Write(100, time.Second, epoch)
			p := packets[0]
			if c.packet != nil {
				c.packet(&p)
			}
			after, _, err := in.Open(p, epoch.Add(c.later))
			if got := reason(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
			if diff := cmp.Diff(in, after, sameAddr); err != nil && diff != "" {
				t.Errorf("what was refused left something (-before +after)\n%s", diff)
			}
		})
	}
}

func TestEveryReasonHasAWord(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if w := r.String(); w == "" || seen[w] {
			t.Errorf("reason %d: %q", r, w)
		}
		seen[r.String()] = true
		var back Reason
		if err := back.UnmarshalText([]byte(r.String())); err != nil || back != r {
			t.Errorf("%v is read as %v (%v)", r, back, err)
		}
	}
	if len(seen) != len(reasonWords)-1 {
		t.Errorf("%d reasons and %d words", len(seen), len(reasonWords)-1)
	}
}

// A story of one sender and one receiver with clocks of their own: "send" keeps
// a packet, "hear N" opens the Nth.
func TestReplays(t *testing.T) {
	for name, c := range map[string]struct {
		window time.Duration
		story  string
		want   string
	}{
		"a packet is heard once":                                   {0, "send hear0 hear0", "heard replayed"},
		"an older one is not heard any more":                       {0, "send send hear1 hear0", "heard replayed"},
		"many in one instant":                                      {0, "send send send hear0 hear1 hear2", "heard heard heard"},
		"the sender's clock goes back":                             {0, "send hear0 clock-1h send hear1", "heard heard"},
		"the sender's clock goes far ahead, and back":              {0, "clock+48h send hear0 clock-48h send hear1", "heard heard"},
		"the sender's clock goes back, and it forgot":              {0, "send hear0 clock-1h forget send hear1", "heard replayed"},
		"the clocks agree, in a window":                            {5 * time.Second, "send hear0 send hear1 hear1", "heard heard replayed"},
		"a recording, in a window":                                 {5 * time.Second, "send both+10s hear0", "stale"},
		"both clocks go back, in a window":                         {5 * time.Second, "send hear0 both-1h send hear1 hear0", "heard heard stale"},
		"the sender was ahead and is right again, and it forgot":   {5 * time.Second, "both+1h send hear0 both-1h forget send hear1", "heard heard"},
		"the key is rolled over":                                   {0, "send hear0 learn send hear1 roll send hear2 unlearn send hear3", "heard heard heard heard"},
		"a recording signed with the old key after it was retired": {0, "send learn roll unlearn hear0", "key"},
	} {
		t.Run(name, func(t *testing.T) {
			out, in := pair(func(in *Instance) { in.Keys, in.Window = []Key{draft}, c.window })
			here, there := epoch, epoch
			var sent []Packet
			var got []string
			for _, w := range strings.Fields(c.story) {
				d, _ := time.ParseDuration(strings.TrimLeft(w, "abcdefghijklmnopqrstuvwxyz"))
				switch verb := strings.TrimRight(w, "+-0123456789hms"); verb {
				case "clock":
					there = there.Add(d)
				case "bot":
					d, _ = time.ParseDuration(strings.TrimPrefix(w, "both"))
					here, there = here.Add(d), there.Add(d)
				case "forget":
					out.Sequence = 0
				case "learn":
					in.Instance.Keys = []Key{draft, another}
				case "roll":
					out.Instance.Keys = []Key{another, draft}
				case "unlearn":
					in.Instance.Keys = []Key{another}
				case "send":
					var ps []Packet
					out, ps = out.Write(100, time.Second, there)
					sent = append(sent, ps[0])
				case "hear":
					var err error
					var n int
					fmt.Sscanf(w, "hear%d", &n)
					in, _, err = in.Open(sent[n], here)
					got = append(got, reason(err))
				default:
					t.Fatalf("no such word: %s (%s)", w, verb)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMarksAreBounded(t *testing.T) {
	in := Inbox{Instance: one(11), Interval: time.Second}
	in.Instance.Open, in.Instance.Keys = true, []Key{draft}
	for i := range 100 {
		out := Outbox{Instance: one(12)}
		out.Instance.Keys = []Key{draft}
		out.Instance.Source = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		_, ps := out.Write(100, time.Second, epoch)
		var err error
		if in, _, err = in.Open(ps[0], epoch); err != nil {
			t.Fatal(err)
		}
	}
	if len(in.Marks) != MaxPeers {
		t.Errorf("%d marks", len(in.Marks))
	}
}

func TestUnicastGoesToEachPeer(t *testing.T) {
	in := one(11)
	in.Unicast, in.Keys = true, []Key{draft}
	_, ps := Outbox{Instance: in}.Write(100, time.Second, epoch)
	var to []string
	for _, p := range ps {
		to = append(to, p.Dst.String())
		if !bytes.Equal(p.Payload, ps[0].Payload) {
			t.Error("two peers are told different things")
		}
	}
	if diff := cmp.Diff([]string{"192.0.2.12", "192.0.2.13"}, to); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDiffers(t *testing.T) {
	in := Instance{Addrs: []netip.Addr{addr("192.0.2.5"), addr("192.0.2.6")}}
	for list, want := range map[string]bool{
		"192.0.2.5 192.0.2.6": false, "192.0.2.6 192.0.2.5": false, "192.0.2.5": true, "192.0.2.5 192.0.2.7": true, "192.0.2.5 192.0.2.6 192.0.2.7": true,
	} {
		var a Advert
		for _, s := range strings.Fields(list) {
			a.Addrs = append(a.Addrs, addr(s))
		}
		if got := in.Differs(a); got != want {
			t.Errorf("%s: %v", list, got)
		}
	}
}

func TestVirtualAddresses(t *testing.T) {
	if got := LinkLocal(51); got != addr("fe80::200:5eff:fe00:233") {
		t.Errorf("link-local %v", got)
	}
	if got := fmt.Sprintf("%x %x", MAC(51, false), MAC(51, true)); got != "00005e000133 00005e000233" {
		t.Errorf("MAC addresses %s", got)
	}
}

func TestKeysAsPeopleWriteThem(t *testing.T) {
	one, two := strings.Repeat("a", 32), strings.Repeat("b", 64)
	keys, err := ParseKeys("# old and new\n" + one + "\n\n  " + two + "\t\r\n")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ParseKeys(two + "\n" + one)
	if err != nil {
		t.Fatal(err)
	}
	if string(keys[0].Secret) != one || string(keys[1].Secret) != two || keys[0].ID != other[1].ID || keys[1].ID != other[0].ID {
		t.Errorf("got %v, and in the other order %v", keys, other)
	}
	if err := checkKeys(keys); err != nil {
		t.Error(err)
	}
	if keys, err := ParseKeys(one + "\nunsigned"); err != nil || len(keys) != 2 || !keys[1].IsZero() || checkKeys(keys) != nil {
		t.Errorf("one and none: %v, %v", keys, err)
	}
	for text, want := range map[string]string{
		"# nothing\n":        "there is no key in it",
		"unsigned\n":         "there is no key in it",
		"unsigned\nunsigned": "lines 1 and 2: unsigned is there twice",
		"unsigned # until both members have the key": "line 1: unsigned stands alone on its line",
		one + "\n" + one:     "lines 1 and 2: the keys are the same",
		one + "\n" + one[1:]: "line 2: a key of 31 characters: 32 to 64",
		two + "b":            "line 1: a key of 65 characters",
		one + "\n" + strings.Repeat("c", 32) + "\n" + strings.Repeat("d", 32) + "\n" + strings.Repeat("e", 32) + "\n" + two: "5 keys, 4 at most",
	} {
		if _, err := ParseKeys(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "aaa") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("# one\n0123456789abcdef0123456789abcdef\n")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if (err == nil) != (len(keys) > 0) || checkKeys(keys) != nil {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

func TestASecretIsNotPrinted(t *testing.T) {
	text := fmt.Sprintf("%v %+v %#v %s", draft, one(11), Instance{Keys: []Key{draft}}, []Key{draft})
	if strings.Contains(text, "0x1f") || strings.Contains(text, "31") && strings.Contains(text, "30 31") {
		t.Errorf("it is: %s", text)
	}
}

// Whatever comes in, it is refused with a reason or read as something that is
// written the same way.
func FuzzOpen(f *testing.F) {
	for _, c := range []func(*Instance){
		func(*Instance) {},
		func(in *Instance) { in.Version = 2 },
		func(in *Instance) { in.Version, in.Password = 2, "secret" },
		func(in *Instance) { in.Keys = []Key{draft} },
	} {
		out, _ := pair(c)
		_, ps := out.Write(100, time.Second, epoch)
		f.Add(false, ps[0].Payload)
	}
	v6 := Instance{ID: 51, Version: 3, Source: addr("fe80::c"), Addrs: []netip.Addr{LinkLocal(51), addr("2001:db8::5")}, Keys: []Key{draft}}
	_, ps := Outbox{Instance: v6}.Write(100, time.Second, epoch)
	f.Add(true, ps[0].Payload)
	f.Fuzz(func(t *testing.T, six bool, payload []byte) {
		src, dst := addr("192.0.2.12"), AllRouters(false)
		if six {
			src, dst = addr("fe80::c"), AllRouters(true)
		}
		before := bytes.Clone(payload)
		for _, version := range []uint8{2, 3} {
			for _, keys := range [][]Key{nil, {draft}} {
				in := Inbox{Instance: Instance{ID: 51, Version: version, Source: addr("192.0.2.11"), Addrs: []netip.Addr{addr("192.0.2.5")}, Peers: []netip.Addr{src}, Keys: keys}, Interval: time.Second}
				if _, _, err := in.Open(Packet{src, dst, 255, payload}, epoch); err != nil && strings.HasPrefix(reason(err), "another") {
					t.Fatal(err)
				}
			}
		}
		a, err := Parse(src, dst, payload)
		if err != nil {
			return
		}
		if !bytes.Equal(before, payload) {
			t.Fatal("reading changed it")
		}
		back, err := Parse(src, dst, a.Append(nil, src, dst))
		if err != nil {
			t.Fatalf("%+v is written as something that cannot be read: %v", a, err)
		}
		back.Plain = a.Plain // of bytes whose sums are equal both are right
		if diff := cmp.Diff(a, back, sameAddr); diff != "" {
			t.Fatalf("(-read +written and read)\n%s", diff)
		}
	})
}

func TestCheck(t *testing.T) {
	good := Config{Name: "front", Instances: []Instance{one(11)}, Priority: 100, Interval: 100 * time.Millisecond}
	six := Instance{ID: 51, Version: 3, Source: addr("fe80::b"), Addrs: []netip.Addr{LinkLocal(51), addr("2001:db8::5")}, Peers: []netip.Addr{addr("fe80::c"), addr("fe80::d")}}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // in the error
	}{
		"good":                       {func(*Config) {}, ""},
		"good, both families":        {func(c *Config) { c.Instances = append(c.Instances, six) }, ""},
		"no instance":                {func(c *Config) { c.Instances = nil }, "no instance"},
		"priority 0":                 {func(c *Config) { c.Priority = 0 }, "priority 0"},
		"a negative delay":           {func(c *Config) { c.PreemptDelay = -1 }, "preempt delay"},
		"half a dampening":           {func(c *Config) { c.Flap.Count = 3 }, "flaps"},
		"id 0":                       {func(c *Config) { c.Instances[0].ID = 0 }, "1 to 255"},
		"an interval between steps":  {func(c *Config) { c.Interval = 15 * time.Millisecond }, "steps of 10ms"},
		"an interval too long":       {func(c *Config) { c.Interval = 41 * time.Second }, "40.95s"},
		"version 2 below a second":   {func(c *Config) { c.Instances[0].Version = 2 }, "whole seconds"},
		"version 4":                  {func(c *Config) { c.Instances[0].Version = 4 }, "there are 2 and 3"},
		"version 2 for IPv6":         {func(c *Config) { c.Interval = time.Second; six := six; six.Version = 2; c.Instances = []Instance{six} }, "IPv4 alone"},
		"no addresses":               {func(c *Config) { c.Instances[0].Addrs = nil }, "no addresses"},
		"too many addresses":         {func(c *Config) { c.Instances[0].Addrs = make([]netip.Addr, 400) }, "1460 at most"},
		"families mixed":             {func(c *Config) { c.Instances[0].Addrs = six.Addrs }, "does not go with"},
		"IPv6 without a local one":   {func(c *Config) { six := six; six.Addrs = six.Addrs[1:]; c.Instances = []Instance{six} }, "link-local"},
		"IPv6 from a global address": {func(c *Config) { six := six; six.Source = addr("2001:db8::b"); c.Instances = []Instance{six} }, "5.1.2.1"},
		"no peers":                   {func(c *Config) { c.Instances[0].Peers = nil }, "no peers"},
		"a peer twice":               {func(c *Config) { c.Instances[0].Peers = []netip.Addr{addr("192.0.2.12"), addr("192.0.2.12")} }, "twice"},
		"itself as a peer":           {func(c *Config) { c.Instances[0].Peers = []netip.Addr{addr("192.0.2.11")} }, "the node itself"},
		"peers of another number":    {func(c *Config) { six := six; six.Peers = six.Peers[1:]; c.Instances = append(c.Instances, six) }, "the same nodes"},
		"hops by multicast":          {func(c *Config) { c.Instances[0].Hops = 3 }, "unicast"},
		"a password in version 3":    {func(c *Config) { c.Instances[0].Password = "x" }, "version 2"},
		"a key too short":            {func(c *Config) { c.Instances[0].Keys = []Key{{1, seq(0, 31)}} }, "32 to 64"},
		"a key twice":                {func(c *Config) { c.Instances[0].Keys = []Key{draft, draft} }, "twice"},
		"key 0":                      {func(c *Config) { c.Instances[0].Keys = []Key{{0, draft.Secret}} }, "1 to 255"},
		"a window too short":         {func(c *Config) { c.Instances[0].Window = time.Millisecond }, "window"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := good
			c2.Instances = []Instance{one(11)}
			c.change(&c2)
			err := c2.Check()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
