package siphash

import "testing"

// The vectors of the paper for SipHash-2-4: the key is 0, 1, 2, ... and so is
// the data, of each length in turn.
func TestPaper(t *testing.T) {
	data := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		if got := Sum(2, 4, 0x0706050403020100, 0x0f0e0d0c0b0a0908, data[:n]); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}
