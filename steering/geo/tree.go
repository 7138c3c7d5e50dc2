package geo

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"
)

var (
	mapped = netip.MustParsePrefix("::ffff:0:0/96")
	sixTo4 = netip.MustParsePrefix("2002::/16") // RFC 3056
	teredo = netip.MustParsePrefix("2001::/32") // RFC 4380
)

// maxAliases is how often a search tree may have the same branch: that of IPv4
// is at ::/96 and repeated for its aliases in IPv6.
const maxAliases = 16

// separator is how many bytes stand between the tree and the values.
const separator = 16

// A tree is the search tree of a database: nodes of two records of size bits,
// each the number of a node or, from nodes on, what is found.
// https://maxmind.github.io/MaxMind-DB/ has the format.
type tree struct {
	data  []byte
	nodes uint
	size  uint

	v4 uint // the node where IPv4 begins in a tree of both families; 0: none
	do func(from, last key, offset uintptr) error
}

func treeOf(data []byte, reader *maxminddb.Reader) tree {
	return tree{data: data, nodes: reader.Metadata.NodeCount, size: reader.Metadata.RecordSize}
}

// check goes to every node once: all that it leads to must be there, and no
// way may be longer than an address. It returns how many ways lead from the
// root to an end. A tree may lead to the same branch twice, and branches that
// do so again and again make a small file a walk without end.
func (t *tree) check(values *section) (paths uint64, err error) {
	memo := make([]uint32, t.nodes)
	var visit func(n uint, depth int) uint64
	visit = func(n uint, depth int) uint64 {
		switch {
		case n == t.nodes || err != nil:
			return 1
		case n > t.nodes:
			if n < t.nodes+separator || !values.begins(n-t.nodes-separator) {
				err = errors.New("its search tree leads to no value")
			}
			return 1
		case memo[n] != 0:
			return uint64(memo[n])
		case depth == 128:
			err = errTree
			return 1
		}
		left, right := t.pair(n)
		memo[n] = uint32(min(visit(left, depth+1)+visit(right, depth+1), math.MaxUint32))
		return uint64(memo[n])
	}
	return visit(0, 0), err
}

var errTree = errors.New("its search tree goes in a circle or deeper than an address is long")

// walk calls do for every record below n, which stands for the prefix of
// length depth that begins with k, but for what stands for addresses of IPv4
// elsewhere than in ::/96.
func (t *tree) walk(n uint, k key, depth int) error {
	switch {
	case n == t.nodes, depth >= mapped.Bits() && k.hi == 0 && k.lo>>32 == 0xffff:
		return nil
	case n > t.nodes:
		h := host(128 - depth)
		return t.do(k, key{k.hi | h.hi, k.lo | h.lo}, uintptr(n-t.nodes-separator))
	case n == t.v4 && n != 0 && (depth != 96 || k != key{}):
		return nil
	case depth == 128:
		return errTree
	}
	left, right := t.pair(n)
	if err := t.walk(left, k, depth+1); err != nil {
		return err
	}
	if depth < 64 {
		k.hi |= 1 << (63 - depth)
	} else {
		k.lo |= 1 << (127 - depth)
	}
	return t.walk(right, k, depth+1)
}

func (t *tree) pair(n uint) (left, right uint) {
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
