package conf

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"gslb/topology"
)

// A typ is what an argument may hold and how its value becomes ours.
type typ struct {
	doc   string                                  // "a duration such as \"2s\"", for sentences
	conv  func(v cty.Value) (any, *complaint)     // one value, or one element of a list
	list  bool                                    // one or many
	kinds []string                                // reference types: what may be referred to
	whole func(items []item) (at int, why string) // what must hold of the list together
	raw   bool                                    // not evaluated here
}

// A complaint is why a value was refused. Its code is GS010 unless given.
type complaint struct{ code, text, help string }

func no(format string, args ...any) (any, *complaint) {
	return nil, &complaint{text: fmt.Sprintf(format, args...)}
}

// many is the type of one or many of t.
func (t *typ) many(doc string) *typ {
	return &typ{doc: doc, conv: t.conv, list: true, kinds: t.kinds}
}

func ref(kinds ...string) *typ {
	return &typ{doc: "a reference such as " + kinds[0] + ".x", kinds: kinds}
}

func refs(kinds ...string) *typ {
	return ref(kinds...).many("references such as [" + kinds[0] + ".x]")
}

var (
	tRaw = &typ{doc: "an expression", raw: true}
	tAny = &typ{doc: "anything", conv: func(v cty.Value) (any, *complaint) { return v, nil }}

	tString  = &typ{doc: "a string", conv: convString}
	tStrings = tString.many("a string or a list of strings")
	tBool    = &typ{doc: "true or false", conv: func(v cty.Value) (any, *complaint) {
		if v.Type() != cty.Bool {
			return no("%s is not true or false", show(v))
		}
		return v.True(), nil
	}}
	tCount    = &typ{doc: "a whole number from 1", conv: convInt(1, math.MaxInt32)}
	tNumbers  = (&typ{conv: convInt(0, math.MaxUint32)}).many("whole numbers")
	tBias     = &typ{doc: "a percentage from -99 to 99", conv: convInt(-99, 99)}
	tWeight   = &typ{doc: "a weight from 0 to 65535", conv: convInt(0, 65535)}
	tPriority = &typ{doc: "a priority from 0 to 65535", conv: convInt(0, 65535)}
	tPenalty  = &typ{doc: "a number from 1 to 254", conv: convInt(1, 254)}
	tPort     = &typ{doc: "a port from 1 to 65535", conv: convInt(1, 65535)}
	tMTU      = &typ{doc: "an MTU from 576 to 65535", conv: convInt(576, 65535)}
	tPercent  = &typ{doc: "a percentage from \"0%\" to \"100%\"", conv: convPercent}
	tQuorum   = &typ{doc: "a number of destinations, or a percentage of them such as \"50%\"", conv: convQuorum}
	tRouterID = &typ{doc: "an id from 1 to 255", conv: convID("GS250")}
	tSyncID   = &typ{doc: "an id from 1 to 255", conv: convID("GS255")}
	tDuration = &typ{doc: "a duration such as \"2s\"", conv: convDuration}
	tInterval = &typ{doc: "a duration from \"10ms\" to \"1d\"", conv: func(v cty.Value) (any, *complaint) {
		d, c := convDuration(v)
		if c == nil && (d.(time.Duration) < 10*time.Millisecond || d.(time.Duration) > 24*time.Hour) {
			return no("%s is not between 10ms and 1d", show(v))
		}
		return d, c
	}}
	// What the kernel counts in whole seconds.
	tSeconds = &typ{doc: "a duration of whole seconds, from \"1s\" to \"30d\"", conv: func(v cty.Value) (any, *complaint) {
		d, c := convDuration(v)
		if c == nil && (d.(time.Duration)%time.Second != 0 || d.(time.Duration) < time.Second || d.(time.Duration) > 30*24*time.Hour) {
			return no("%s is not a time of whole seconds from 1s to 30d", show(v))
		}
		return d, c
	}}
	tMark  = &typ{doc: "a mark from 1 to 4294967295", conv: convInt(1, math.MaxUint32)}
	tSorry = &typ{doc: "\"local\", or an address such as \"192.0.2.9\" or \"192.0.2.9:8080\", or one of each family", conv: convSorry, list: true, whole: oneOfEach(func(x any) (bool, string) {
		return x.(topology.Sorry).Addr.Is4(), "sorry server"
	})}
	tQuorumBy = &typ{doc: "count or weight", conv: convOneOf("count", "weight")}
	tOnLoss   = &typ{doc: "withdraw or keep", conv: convOneOf("withdraw", "keep")}
	tTTL      = &typ{doc: "a TTL such as \"30s\"", conv: convTTL}
	tRate     = &typ{doc: "a rate such as \"400KB/s\"", conv: convRate}
	tSecret   = &typ{doc: "secret(\"file:...\") or secret(\"env:...\")", conv: func(v cty.Value) (any, *complaint) {
		if v.Type() == secretType {
			return v.EncapsulatedValue(), nil
		}
		s, ok := text(v)
		switch {
		case !ok:
			return no("%s is not secret(\"file:...\") or secret(\"env:...\")", show(v))
		case strings.HasPrefix(s, "file:"), strings.HasPrefix(s, "env:"):
			return nil, &complaint{text: show(v) + " is the place of a secret, not yet a secret", help: fmt.Sprintf("Write secret(%q).", s)}
		}
		return nil, &complaint{
			code: "GS014", text: "A secret is written out here: everybody who sees the file, a plan or a log has it.",
			help: "Give secret(\"file:...\") or secret(\"env:...\"), which is read on the node only, and make a new one: this one has been seen.",
		}
	}}

	tIP    = &typ{doc: "an IP address", conv: convIP}
	tIPs   = (&typ{conv: convIP}).many("IP addresses")
	tAddrs = &typ{doc: "an IP address, or one of each family", conv: convIP, list: true, whole: oneOfEach(func(x any) (bool, string) {
		a := x.(netip.Addr)
		return a.Is4(), "address"
	})}
	tNets  = (&typ{conv: convPrefix}).many("prefixes")
	tCIDRs = &typ{doc: "a prefix such as \"192.0.2.0/24\", or one of each family", conv: convSegment, list: true, whole: oneOfEach(func(x any) (bool, string) {
		p := x.(netip.Prefix)
		return p.Addr().Is4(), "prefix"
	})}
	tPorts = &typ{doc: "ports such as \"tcp/80\"", conv: convPorts, list: true, whole: distinct}

	tMethod    = &typ{doc: "nat, tun or dr", conv: convWord(topology.ParseMethod, []string{"nat", "tun", "dr"}, nil)}
	tCheckType = &typ{doc: "a type of check such as http", conv: convWord(topology.ParseCheckType, topology.CheckTypes(), nil)}
	tScheduler = &typ{doc: "a scheduler such as wlc", conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c != nil {
			return nil, c
		}
		if _, ok := topology.SchedulerNamed(s.(string)); !ok {
			words := schedulerNames()
			return nil, &complaint{
				code: "GS227", text: fmt.Sprintf("%q is not a scheduler.", s),
				help: strings.TrimSpace(meant(s.(string), words) + " Schedulers are " + among(schedulerNames()) + "."),
			}
		}
		return s, nil
	}}
	tPoint = &typ{doc: "[latitude, longitude]", conv: convPoint}
)

func convString(v cty.Value) (any, *complaint) {
	s, ok := text(v)
	if !ok {
		return no("%s is not a string", show(v))
	}
	return s, nil
}

func convInt(low, high int64) func(cty.Value) (any, *complaint) {
	return func(v cty.Value) (any, *complaint) {
		var n int64
		switch v.Type() {
		case cty.Number:
			i, acc := v.AsBigFloat().Int64()
			if acc != big.Exact {
				return no("%s is not a whole number from %d to %d", show(v), low, high)
			}
			n = i
		case cty.String: // "80", as environment variables and JSON give it
			i, err := strconv.ParseInt(v.AsString(), 10, 64)
			if err != nil {
				return no("%s is not a whole number", show(v))
			}
			n = i
		default:
			return no("%s is not a whole number", show(v))
		}
		if n < low || n > high {
			return no("%d is not between %d and %d", n, low, high)
		}
		return int(n), nil
	}
}

func convPercent(v cty.Value) (any, *complaint) {
	if v.Type() == cty.String {
		if s, ok := strings.CutSuffix(v.AsString(), "%"); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			if err == nil && f >= 0 && f <= 100 {
				return f / 100, nil
			}
		}
	}
	return no("%s is not a percentage from \"0%%\" to \"100%%\"", show(v))
}

// convQuorum reads a count (an int) or a percentage (a float64 from 0 to 1).
func convQuorum(v cty.Value) (any, *complaint) {
	if v.Type() != cty.String {
		return convInt(1, math.MaxInt32)(v)
	}
	if s, ok := strings.CutSuffix(v.AsString(), "%"); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && f > 100 {
			return nil, &complaint{code: "GS242", text: show(v) + " of the destinations can never live.", help: "Give up to \"100%\"."}
		}
		return convPercent(v)
	}
	return convInt(1, math.MaxInt32)(v)
}

// convID reads an id of one byte that is not zero; code is what others are.
func convID(code string) func(cty.Value) (any, *complaint) {
	return func(v cty.Value) (any, *complaint) {
		x, c := convInt(math.MinInt32, math.MaxInt32)(v)
		if c == nil && (x.(int) < 1 || x.(int) > 255) {
			return nil, &complaint{code: code, text: show(v) + " is not an id from 1 to 255."}
		}
		return x, c
	}
}

var units = []struct {
	name string
	d    time.Duration
}{
	{"ns", time.Nanosecond}, {"us", time.Microsecond}, {"µs", time.Microsecond}, {"ms", time.Millisecond},
	{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour},
}

// parseDuration reads "1m30s", "2w", "0.5s".
func parseDuration(s string) (time.Duration, bool) {
	total := 0.0
	for rest := s; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i <= 0 {
			return 0, false
		}
		n, err := strconv.ParseFloat(rest[:i], 64)
		if err != nil {
			return 0, false
		}
		rest = rest[i:]
		j := strings.IndexFunc(rest, func(r rune) bool { return r == '.' || (r >= '0' && r <= '9') })
		if j < 0 {
			j = len(rest)
		}
		unit := time.Duration(0)
		for _, u := range units {
			if u.name == rest[:j] {
				unit = u.d
			}
		}
		if unit == 0 {
			return 0, false
		}
		total += n * float64(unit)
		rest = rest[j:]
	}
	if s == "" || total > math.MaxInt64/2 {
		return 0, false
	}
	return time.Duration(math.Round(total)), true
}

func convDuration(v cty.Value) (any, *complaint) {
	if v.Type() == cty.String {
		if d, ok := parseDuration(v.AsString()); ok {
			return d, nil
		}
	}
	if v.Type() == cty.Number {
		return nil, &complaint{text: show(v) + " has no unit", help: fmt.Sprintf("Write \"%ss\" for seconds.", show(v))}
	}
	return no("%s is not a duration such as \"300ms\", \"2s\" or \"1h\"", show(v))
}

// convTTL reads a TTL. What DNS cannot carry is GS115 rather than GS010.
func convTTL(v cty.Value) (any, *complaint) {
	d, c := convDuration(v)
	if c != nil {
		return nil, c
	}
	switch t := d.(time.Duration); {
	case t < time.Second:
		return nil, &complaint{code: "GS115", text: show(v) + " is below one second: resolvers would ask for every client"}
	case t%time.Second != 0:
		return nil, &complaint{code: "GS115", text: show(v) + " is not a whole number of seconds"}
	case t/time.Second > math.MaxInt32:
		return nil, &complaint{code: "GS115", text: show(v) + " is above 2^31-1 seconds (RFC 2181 section 8)"}
	}
	return d, nil
}

// convRate reads bytes or bits per second into bytes per second.
func convRate(v cty.Value) (any, *complaint) {
	if v.Type() == cty.String {
		s := v.AsString()
		for _, u := range []struct {
			unit string
			n    float64
		}{
			{"KB/s", 1e3}, {"MB/s", 1e6}, {"GB/s", 1e9}, {"B/s", 1},
			{"Kbit/s", 1e3 / 8}, {"Mbit/s", 1e6 / 8}, {"Gbit/s", 1e9 / 8}, {"bit/s", 1.0 / 8},
		} {
			if n, ok := strings.CutSuffix(s, u.unit); ok {
				if f, err := strconv.ParseFloat(strings.TrimSpace(n), 64); err == nil && f >= 0 && !math.IsInf(f, 0) {
					return f * u.n, nil
				}
			}
		}
	}
	return no("%s is not a rate such as \"400KB/s\" or \"1Gbit/s\"", show(v))
}

func convIP(v cty.Value) (any, *complaint) {
	if v.Type() != cty.String {
		return no("%s is not an IP address", show(v))
	}
	a, err := netip.ParseAddr(v.AsString())
	switch {
	case err != nil && strings.Contains(v.AsString(), "/"):
		return nil, &complaint{text: show(v) + " is not an IP address", help: "Write the address without its prefix length."}
	case err != nil:
		return no("%s is not an IP address", show(v))
	case a.Zone() != "" || a.Is4In6():
		return no("%s is not an address of a node: write it as plain IPv4 or IPv6", show(v))
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback():
		return no("%s is not an address that one node can have", show(v))
	}
	return a, nil
}

func convPrefix(v cty.Value) (any, *complaint) {
	if v.Type() != cty.String {
		return no("%s is not a prefix", show(v))
	}
	p, err := netip.ParsePrefix(v.AsString())
	if err != nil {
		return no("%s is not a prefix such as \"192.0.2.0/24\"", show(v))
	}
	if p.Addr().Is4In6() {
		return no("%s is not a prefix: write it as plain IPv4 or IPv6", show(v))
	}
	if p.Masked() != p {
		return nil, &complaint{text: show(v) + " has host bits", help: fmt.Sprintf("Write %q.", p.Masked())}
	}
	return p, nil
}

// convSegment reads the prefix of an L2 segment.
func convSegment(v cty.Value) (any, *complaint) {
	x, c := convPrefix(v)
	if c != nil {
		return nil, c
	}
	p := x.(netip.Prefix)
	if p.Bits() == 0 || p.Addr().IsMulticast() || p.Addr().IsLoopback() {
		return no("%s is not a prefix that one segment can have", show(v))
	}
	return p, nil
}

func oneOfEach(is4 func(any) (bool, string)) func([]item) (int, string) {
	return func(items []item) (int, string) {
		seen := map[bool]bool{}
		for i, it := range items {
			four, what := is4(it.x)
			if seen[four] {
				family := "IPv6"
				if four {
					family = "IPv4"
				}
				return i, fmt.Sprintf("%v is the second %s %s: there can be one of each family", it.x, family, what)
			}
			seen[four] = true
		}
		return -1, ""
	}
}

func distinct(items []item) (int, string) {
	seen := map[any]bool{}
	for i, it := range items {
		if seen[it.x] {
			return i, fmt.Sprintf("%v is there twice", it.x)
		}
		seen[it.x] = true
	}
	return -1, ""
}

func convPorts(v cty.Value) (any, *complaint) {
	if v.Type() != cty.String {
		return no("%s is not a port such as \"tcp/80\"", show(v))
	}
	s := v.AsString()
	proto, number, ok := strings.Cut(s, "/")
	if !ok {
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			return nil, &complaint{text: show(v) + " has no protocol", help: fmt.Sprintf("Write \"tcp/%s\" or \"udp/%s\".", s, s)}
		}
		return no("%s is not a port such as \"tcp/80\"", show(v))
	}
	pr, err := topology.ParseProto(proto)
	if turned, e := topology.ParseProto(number); err != nil && e == nil {
		return nil, &complaint{text: show(v) + " is the wrong way round", help: fmt.Sprintf("Write \"%s/%s\".", turned, proto)}
	}
	if err != nil {
		return nil, &complaint{text: fmt.Sprintf("%q is not a protocol: tcp or udp", proto), help: meant(proto, []string{"tcp", "udp"})}
	}
	if low, high, ok := strings.Cut(number, "-"); ok {
		l, err1 := strconv.ParseUint(low, 10, 16)
		h, err2 := strconv.ParseUint(high, 10, 16)
		if err1 == nil && err2 == nil && l > 0 && l <= h {
			return nil, &complaint{code: "GS020", text: fmt.Sprintf("The port range %q %v.", s, errLater), help: "List the ports one by one."}
		}
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return no("%q is not a port from 1 to 65535", number)
	}
	return topology.Port{Proto: pr, Number: uint16(n)}, nil
}

// convWord reads a word of an enumeration; words in later are known and not
// acted on yet.
func convWord[T any](parse func(string) (T, error), words, later []string) func(cty.Value) (any, *complaint) {
	return func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c != nil {
			return nil, c
		}
		x, err := parse(s.(string))
		switch {
		case slices.Contains(later, s.(string)):
			return nil, &complaint{code: "GS020", text: fmt.Sprintf("%q %v.", s, errLater), help: "Use one of " + strings.Join(words, ", ") + "."}
		case err != nil:
			return nil, &complaint{text: fmt.Sprintf("%q is none of %s", s, strings.Join(words, ", ")), help: meant(s.(string), words)}
		}
		return x, nil
	}
}

// convOneOf reads one of a few words.
func convOneOf(words ...string) func(cty.Value) (any, *complaint) {
	return convWord(func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", errors.New("unknown")
		}
		return s, nil
	}, words, nil)
}

// convSorry reads who stands in for all others.
func convSorry(v cty.Value) (any, *complaint) {
	s, c := convString(v)
	if c != nil {
		return nil, c
	}
	if s.(string) == "local" {
		return topology.Sorry{}, nil
	}
	if at, err := netip.ParseAddrPort(s.(string)); err == nil && at.Port() != 0 {
		if _, c := convIP(cty.StringVal(at.Addr().String())); c != nil {
			return nil, c
		}
		return topology.Sorry{Addr: at.Addr(), Port: at.Port()}, nil
	}
	a, err := netip.ParseAddr(s.(string))
	if err != nil {
		return no("%s is neither \"local\" nor an address, with a port or without", show(v))
	}
	if a.IsLoopback() {
		return nil, &complaint{text: show(v) + " is the director itself", help: `Write "local": then a program on the director answers, which listens at the VIP or at all addresses.`}
	}
	if _, c := convIP(v); c != nil {
		return nil, c
	}
	return topology.Sorry{Addr: a}, nil
}

func convPoint(v cty.Value) (any, *complaint) {
	n, ok := length(v)
	if !ok || n != 2 || v.Type().IsObjectType() || v.Type().IsMapType() {
		return no("%s is not a place: give [latitude, longitude] in degrees", show(v))
	}
	var xy [2]float64
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		_, e := it.Element()
		if e.Type() != cty.Number || e.IsNull() || !e.IsKnown() {
			return no("%s is not a number of degrees", show(e))
		}
		xy[i], _ = e.AsBigFloat().Float64()
	}
	if math.Abs(xy[0]) > 90 {
		return no("the latitude %v is not between -90 and 90", xy[0])
	}
	if math.Abs(xy[1]) > 180 {
		return no("the longitude %v is not between -180 and 180", xy[1])
	}
	return topology.Point{Lat: xy[0], Lon: xy[1]}, nil
}

// show writes a value for a sentence.
func show(v cty.Value) string {
	switch {
	case v == cty.NilVal || !v.IsKnown():
		return "a value"
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		s := v.AsString()
		if len(s) > 80 {
			s = s[:80] + "..."
		}
		return strconv.Quote(s)
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('g', 15)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	case v.Type() == secretType:
		return "a secret"
	}
	if n, ok := asRef(v); ok {
		return n.id
	}
	switch {
	case v.Type().IsObjectType() || v.Type().IsMapType():
		return "a map"
	case v.Type().IsTupleType() || v.Type().IsListType() || v.Type().IsSetType():
		return "a list"
	}
	return "a " + v.Type().FriendlyName()
}
