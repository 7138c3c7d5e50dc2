package geo

import (
	"encoding/binary"
	"math"
	"net/netip"
)

var (
	mapped = netip.MustParsePrefix("::ffff:0:0/96")
	sixTo4 = netip.MustParsePrefix("2002::/16") // RFC 3056
	teredo = netip.MustParsePrefix("2001::/32") // RFC 4380
)

// maxAliases is how often a search tree may have the same branch: that of IPv4
// is at ::/96 and repeated for its aliases in IPv6.
const maxAliases = 16

// A tree is the search tree of a database: nodes of two records of size bits,
// each the number of a node or, from nodes on, what is found.
// https://maxmind.github.io/MaxMind-DB/ has the format.
type tree struct {
	data  []byte
	nodes uint
	size  uint
}

// paths is how many ways lead from the root to an end. A tree may lead to the
// same branch twice, and branches that do so again and again make a small file
// a walk without end. The tree is not deeper than 128 nodes.
func (t tree) paths() uint64 {
	memo := make([]uint32, t.nodes)
	var visit func(n uint) uint64
	visit = func(n uint) uint64 {
		if n >= t.nodes {
			return 1
		}
		if memo[n] == 0 {
			left, right := t.pair(n)
			memo[n] = uint32(min(visit(left)+visit(right), math.MaxUint32))
		}
		return uint64(memo[n])
	}
	return visit(0)
}

func (t tree) pair(n uint) (left, right uint) {
	b := t.data[n*t.size/4:]
	switch t.size {
	case 24:
		return uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]), uint(b[3])<<16 | uint(b[4])<<8 | uint(b[5])
	case 28:
		return uint(b[3]>>4)<<24 | uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]),
			uint(b[3]&15)<<24 | uint(b[4])<<16 | uint(b[5])<<8 | uint(b[6])
	}
	return uint(binary.BigEndian.Uint32(b)), uint(binary.BigEndian.Uint32(b[4:]))
}
