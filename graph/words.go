package graph

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gslb/topology"
)

// perSecond writes bytes per second with three digits: "8.93 MB/s".
func perSecond(v float64) string {
	by, unit := scale(v)
	return digits(v/by) + " " + unit
}

// ratio writes two rates in the unit of the first: "8.93 for 4.8 MB/s".
func ratio(v, to float64) string {
	by, unit := scale(v)
	return digits(v/by) + " for " + digits(to/by) + " " + unit
}

// scale is the unit that a rate is written in, and how many bytes per second it is.
func scale(v float64) (by float64, unit string) {
	by, unit = 1, "B/s"
	for _, u := range []string{"KB/s", "MB/s", "GB/s", "TB/s"} {
		if v < 999.5*by {
			break
		}
		by, unit = by*1000, u
	}
	return by, unit
}

// digits writes a number with three digits, without zeros at its end.
func digits(v float64) string {
	n := 0
	switch {
	case v < 9.995:
		n = 2
	case v < 99.95:
		n = 1
	}
	s := strconv.FormatFloat(v, 'f', n, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// percent writes a part from 0 to 1.
func percent(part float64) string {
	return strconv.FormatFloat(part*100, 'g', 3, 64) + " %"
}

// duration writes whole units: "5s", "1h", "90s".
func duration(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.d && d%u.d == 0 {
			return fmt.Sprintf("%d%s", d/u.d, u.name)
		}
	}
	return d.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is an address without its kind: nat["eu1"].
func short(id string) string {
	i := strings.IndexAny(id, ".[")
	if i < 0 {
		return id
	}
	return strings.TrimPrefix(id[i:], ".")
}

// family is the label of an address, without the key: nat.
func family(id string) string {
	s := short(id)
	if i := strings.IndexByte(s, '['); i > 0 {
		return s[:i]
	}
	return s
}

// bareName is a domain name without its last dot.
func bareName(s string) string { return strings.TrimSuffix(s, ".") }

func texts(addrs []netip.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// ports lists ports, the first most of more than that.
func ports(all []topology.Port, most int) string {
	var s []string
	for i, p := range all {
		if i == most {
			s = append(s, fmt.Sprintf("+%d", len(all)-most))
			break
		}
		s = append(s, p.String())
	}
	return strings.Join(s, ", ")
}

// clean keeps a file from steering what shows the text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfffe || r == 0xffff {
			return 0xfffd
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
