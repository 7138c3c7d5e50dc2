package geo

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// A section is what a database has behind its search tree: values, one after
// the other, that the tree and other values point to.
// https://maxmind.github.io/MaxMind-DB/ has the format.
type section struct {
	data []byte
	// starts has a bit for each offset at which a value begins, targets for
	// each that a pointer leads to.
	starts, targets []uint64
}

// nestedMost is how deep values may lie in one another. Databases need five.
const nestedMost = 64

// checked goes through a section once, from its beginning to its end. Pointers
// are not followed, so it takes the time of reading it.
func checked(data []byte) (*section, error) {
	s := &section{data, make([]uint64, len(data)/64+1), make([]uint64, len(data)/64+1)}
	for at := 0; at < len(data); {
		next, err := s.value(at, nestedMost)
		if err != nil {
			return nil, fmt.Errorf("the value at %d of its data: %w", at, err)
		}
		at = next
	}
	for i, t := range s.targets {
		if t&^s.starts[i] != 0 {
			return nil, errors.New("a pointer in its data leads to no value")
		}
	}
	return s, nil
}

// begins reports whether a value begins at an offset.
func (s *section) begins(at uint) bool {
	return at < uint(len(s.data)) && s.starts[at/64]>>(at%64)&1 != 0
}

var (
	errCut  = errors.New("it is cut short")
	errSize = errors.New("it has a size that its type has not")
)

// value checks the value at an offset and returns where the next one begins.
func (s *section) value(at, depth int) (int, error) {
	if at >= len(s.data) {
		return 0, errCut
	}
	s.starts[at/64] |= 1 << (at % 64)
	control := s.data[at]
	at++
	kind, size := control>>5, int(control&0x1f)
	if kind == 1 {
		return s.pointer(at, control)
	}
	if kind == 0 {
		if at == len(s.data) {
			return 0, errCut
		}
		kind = s.data[at] + 7
		at++
	}
	if size > 28 {
		n := size - 28 // bytes of it that follow
		if len(s.data)-at < n {
			return 0, errCut
		}
		size = 0
		for _, b := range s.data[at : at+n] {
			size = size<<8 | int(b)
		}
		size += [...]int{29, 285, 65821}[n-1]
		at += n
	}
	var longest int
	switch kind {
	case 7: // pairs
		return s.several(at, size, depth, true)
	case 11: // a list
		return s.several(at, size, depth, false)
	case 14: // true or false, which the size says
		if size > 1 {
			return 0, errSize
		}
		return at, nil
	case 2, 4: // text, bytes
		longest = size
	case 3: // double
		longest = 8
	case 15: // float
		longest = 4
	case 5: // integers
		longest = 2
	case 6, 8:
		longest = 4
	case 9:
		longest = 8
	case 10:
		longest = 16
	default:
		return 0, errors.New("it has no type")
	}
	if size > longest || (kind == 3 || kind == 15) && size != longest {
		return 0, errSize
	}
	if len(s.data)-at < size {
		return 0, errCut
	}
	if kind == 2 && !utf8.Valid(s.data[at:at+size]) {
		return 0, errors.New("it is no text in UTF-8")
	}
	return at + size, nil
}

// several checks the values of a list, or keys and values in turns.
func (s *section) several(at, size, depth int, pairs bool) (int, error) {
	if depth == 0 {
		return 0, errors.New("its values lie too deep in one another")
	}
	for range size {
		var err error
		if pairs {
			if at < len(s.data) && s.data[at]>>5 != 2 && s.data[at]>>5 != 1 {
				return 0, errors.New("a key is no text")
			}
			if at, err = s.value(at, depth-1); err != nil {
				return 0, err
			}
		}
		if at, err = s.value(at, depth-1); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// pointer checks a pointer, whose other bytes begin at an offset.
func (s *section) pointer(at int, control byte) (int, error) {
	n := int(control>>3&3) + 1
	if len(s.data)-at < n {
		return 0, errCut
	}
	to := uint(control & 7)
	if n == 4 {
		to = 0
	}
	for _, b := range s.data[at : at+n] {
		to = to<<8 | uint(b)
	}
	to += [...]uint{0, 2048, 526336, 0}[n-1]
	if to >= uint(len(s.data)) {
		return 0, errors.New("a pointer leads out of it")
	}
	if s.data[to]>>5 == 1 {
		return 0, errors.New("a pointer leads to a pointer")
	}
	s.targets[to/64] |= 1 << (to % 64)
	return at + n, nil
}
