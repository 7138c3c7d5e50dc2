// Package siphash is SipHash (Aumasson and Bernstein, 2012): a keyed hash of
// short texts. It allocates nothing and knows nothing of what is hashed.
package siphash

import (
	"encoding/binary"
	"math/bits"
)

// Sum is SipHash-c-d of data with the key k0, k1: c rounds for each 8 bytes and
// d at the end. The usual one is SipHash-2-4.
func Sum(c, d int, k0, k1 uint64, data []byte) uint64 {
	s := state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	last := uint64(len(data)) << 56
	for ; len(data) >= 8; data = data[8:] {
		s.block(c, binary.LittleEndian.Uint64(data))
	}
	for i, b := range data {
		last |= uint64(b) << (8 * i)
	}
	s.block(c, last)
	s[2] ^= 0xff
	s.rounds(d)
	return s[0] ^ s[1] ^ s[2] ^ s[3]
}

type state [4]uint64

func (s *state) block(c int, m uint64) {
	s[3] ^= m
	s.rounds(c)
	s[0] ^= m
}

func (s *state) rounds(n int) {
	v0, v1, v2, v3 := s[0], s[1], s[2], s[3]
	for range n {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	*s = state{v0, v1, v2, v3}
}
