package ipvs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/bits"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"gslb/tiers"
	"gslb/topology"
)

// tablePath is the kernel's table as text, in the namespace of the thread.
const tablePath = "/proc/thread-self/net/ip_vs"

// errDrifted says that too much has changed to be read piece by piece.
var errDrifted = errors.New("much of the kernel's table has changed")

// mostDrifted is how many services are read one by one at most.
const mostDrifted = 1000

// drifted brings table, what the kernel was known to hold, up to what it holds
// now: it compares what /proc/net/ip_vs shows and reads the services that
// differ by netlink. One that the file shows wrongly, because the table changed
// while it was read, is only read for nothing; one that it hides is found the
// next time.
// Services that are in doubt are read in any case.
func (p *Plane) drifted(ctx context.Context, table tiers.Table, doubt map[tiers.Key]bool) (tiers.Table, error) {
	f, err := os.Open(tablePath)
	if err != nil {
		return table, err
	}
	defer f.Close()
	differs, err := differences(f, table)
	if err != nil {
		return table, err
	}
	for _, k := range differs {
		delete(doubt, k)
	}
	differs = append(differs, slices.Collect(maps.Keys(doubt))...)
	if len(differs) == 0 {
		return table, nil
	}
	if len(differs) > mostDrifted {
		return table, errDrifted
	}
	out := tiers.Table{Services: slices.Clone(table.Services)}
	for _, k := range differs {
		if ctx.Err() != nil {
			return table, ctx.Err()
		}
		s, there, err := p.readOne(k)
		if err != nil {
			return table, err
		}
		at, known := out.Find(k)
		switch {
		case there && known:
			out.Services[at] = s
		case there:
			out.Services = slices.Insert(out.Services, at, s)
		case known:
			out.Services = slices.Delete(out.Services, at, at+1)
		}
		if there {
			tiers.Table{Services: []tiers.Service{s}}.Sort()
		}
	}
	return out, nil
}

// A shown is a service by what its line tells: of one by mark it does not tell
// the family, and both are one.
type shown struct {
	proto topology.Proto
	vip   netip.AddrPort
	mark  uint32
}

func shownOf(k tiers.Key) shown { return shown{k.Proto, k.VIP, k.Mark} }

// keys are what a line may stand for.
func (s shown) keys() []tiers.Key {
	if s.vip.IsValid() {
		return []tiers.Key{tiers.VIPKey(s.proto, s.vip)}
	}
	return []tiers.Key{tiers.MarkKey(s.mark, false), tiers.MarkKey(s.mark, true)}
}

// differences returns the keys of the services that are not in the text as
// they are in the table, in the order of the text and then of the table.
func differences(text io.Reader, table tiers.Table) ([]tiers.Key, error) {
	sums := make(map[shown]uint64, len(table.Services))
	for i := range table.Services {
		s := &table.Services[i]
		if s.Key.VIP.IsValid() && s.Key.Proto == topology.NoProto {
			continue // of a protocol that no key names
		}
		sums[shownOf(s.Key)] += sumOf(s)
	}
	var order []shown
	have := make(map[shown]uint64, len(sums))
	err := scanTable(text, func(k shown, sum uint64) {
		if _, twice := have[k]; !twice {
			order = append(order, k)
		}
		have[k] += sum
	})
	if err != nil {
		return nil, err
	}
	var out []tiers.Key
	for _, k := range order {
		if sums[k] != have[k] {
			out = append(out, k.keys()...)
		}
	}
	for i := range table.Services {
		k := shownOf(table.Services[i].Key)
		if _, there := have[k]; !there && sums[k] != 0 {
			out = append(out, k.keys()...)
			have[k] = 0
		}
	}
	return out, nil
}

var (
	seed = maphash.MakeSeed()
	salt = maphash.Comparable(seed, "salt")
)

// A head is what a service's line tells beside its key.
type head struct {
	scheduler string
	onePacket bool
	timeout   int64 // -1: not persistent
	netmask   uint32
}

// A line is what a destination's line tells; method is "Masq", "Tunnel",
// "Route" or "Local", by its first letter.
type line struct {
	addr   netip.AddrPort
	method byte
	weight uint32
}

// sum mixes the parts as wyhash does; there are 100,000 in a large table.
func (d line) sum() uint64 {
	a := d.addr.Addr().As16()
	mix := func(x, y uint64) uint64 { high, low := bits.Mul64(x, y); return high ^ low }
	h := mix(binary.BigEndian.Uint64(a[:8])^salt, binary.BigEndian.Uint64(a[8:])^0xa0761d6478bd642f)
	return mix(h^uint64(d.addr.Port())<<48^uint64(d.method)<<32^uint64(d.weight), salt^0xe7037ed1a0b428db)
}

// The sum of a service is that of its parts, in whatever order.
func sumOf(s *tiers.Service) uint64 {
	h := head{scheduler: s.Scheduler, timeout: -1}
	h.onePacket = s.Flags&tiers.OnePacket != 0
	if s.Key.V6 && s.Key.VIP.IsValid() {
		h.onePacket = false // not told
	}
	if s.Flags&tiers.Persistent != 0 {
		h.timeout = int64(s.Timeout)
		h.netmask = ^uint32(0) << (32 - min(s.Netmask, 32))
		if s.Key.V6 { // the prefix length, with its bytes turned round as if it were a mask
			var b [4]byte
			binary.NativeEndian.PutUint32(b[:], uint32(s.Netmask))
			h.netmask = binary.BigEndian.Uint32(b[:])
		}
	}
	sum := maphash.Comparable(seed, h)
	for i := range s.Destinations {
		d := &s.Destinations[i]
		sum += line{d.Addr, "LMTR"[d.Method], d.Weight}.sum()
	}
	return sum
}

// scanTable reads the text and calls f with each service and its sum.
// Lines are as ip_vs_info_seq_show in ip_vs_ctl.c writes them; the first three
// are the heading.
func scanTable(text io.Reader, f func(shown, uint64)) error {
	in := bufio.NewReaderSize(text, 64<<10)
	var k shown
	var sum uint64
	inside, skipped := false, false
	for n := 1; ; n++ {
		row, err := in.ReadSlice('\n')
		if err == io.EOF && len(row) == 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", tablePath, n, err)
		}
		if n <= 3 {
			continue
		}
		if next, is := bytes.CutPrefix(row, []byte("  -> ")); is {
			if skipped {
				continue
			}
			d, ok := parseLine(next)
			if !ok || !inside {
				return fmt.Errorf("%s:%d: %q is no destination", tablePath, n, row)
			}
			sum += d.sum()
			continue
		}
		if inside {
			f(k, sum)
		}
		var h head
		var ok bool
		k, h, ok = parseHead(row)
		if !ok {
			return fmt.Errorf("%s:%d: %q is no service", tablePath, n, row)
		}
		skipped = k.mark == 0 && k.proto == topology.NoProto
		inside, sum = !skipped, maphash.Comparable(seed, h)
	}
	if inside {
		f(k, sum)
	}
	return nil
}

// word cuts the first word off b.
func word(b []byte) (first, rest []byte) {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for i, c := range b {
		if c == ' ' || c == '\n' {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

// parseHead reads "TCP  C0000201:0050 wlc ops persistent 300 FFFFFFFF".
func parseHead(b []byte) (k shown, h head, ok bool) {
	var w []byte
	w, b = word(b)
	switch string(w) {
	case "TCP":
		k.proto = topology.TCP
	case "UDP":
		k.proto = topology.UDP
	case "FWM":
	default:
		return k, h, len(w) > 0
	}
	byMark := w[0] == 'F'
	w, b = word(b)
	if byMark {
		var mark uint32
		mark, ok = hexNumber(w)
		k.mark = mark
	} else {
		k.vip, ok = hexAddrPort(w)
	}
	if !ok || byMark && k.mark == 0 {
		return k, h, false
	}
	w, b = word(b)
	h.scheduler, h.timeout = schedulerName(w), -1
	if len(w) == 0 {
		return k, h, false
	}
	w, b = word(b)
	if string(w) == "ops" {
		h.onePacket = true
		w, b = word(b)
	}
	if string(w) == "persistent" {
		w, b = word(b)
		timeout, err := strconv.ParseInt(string(w), 10, 64)
		w, b = word(b)
		mask, isHex := hexNumber(w)
		if err != nil || timeout < 0 || !isHex {
			return k, h, false
		}
		h.timeout, h.netmask = timeout, mask
		w, _ = word(b)
	}
	return k, h, len(w) == 0 || string(w) == "\n"
}

// parseLine reads "0A000001:0050      Masq    1      0          0".
func parseLine(b []byte) (d line, ok bool) {
	var w []byte
	w, b = word(b)
	if d.addr, ok = hexAddrPort(w); !ok {
		return d, false
	}
	w, b = word(b)
	if len(w) == 0 {
		return d, false
	}
	d.method = w[0]
	w, _ = word(b)
	for _, c := range w {
		if c < '0' || c > '9' {
			return d, false
		}
		d.weight = d.weight*10 + uint32(c-'0')
	}
	return d, len(w) > 0
}

// hexNumber reads up to eight hexadecimal digits.
func hexNumber(b []byte) (n uint32, ok bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(c)
	}
	return n, true
}

// hexAddrPort reads "C0000201:0050" or "[2001:0db8:0000:0000:0000:0000:0000:0001]:0050".
func hexAddrPort(b []byte) (netip.AddrPort, bool) {
	i := bytes.LastIndexByte(b, ':')
	if i < 0 {
		return netip.AddrPort{}, false
	}
	addr, port := b[:i], b[i+1:]
	if len(addr) >= 2 && addr[0] == '[' && addr[len(addr)-1] == ']' {
		addr = addr[1 : len(addr)-1]
	}
	return hexPair(addr, port)
}
