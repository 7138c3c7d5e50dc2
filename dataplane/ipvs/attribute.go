package ipvs

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// attrs is a list of netlink attributes under construction.
type attrs []byte

// begin opens an attribute whose value is what is added until [attrs.end].
func (a *attrs) begin(kind uint16) (start int) {
	start = len(*a)
	*a = binary.NativeEndian.AppendUint16(*a, 0)
	*a = binary.NativeEndian.AppendUint16(*a, kind)
	return start
}

func (a *attrs) end(start int) {
	binary.NativeEndian.PutUint16((*a)[start:], uint16(len(*a)-start))
	for len(*a)%4 != 0 {
		*a = append(*a, 0)
	}
}

// nest opens an attribute whose value is attributes.
func (a *attrs) nest(kind uint16) (start int) { return a.begin(kind | unix.NLA_F_NESTED) }

// head opens an attribute of a known size, which nobody needs to end.
func (a *attrs) head(kind, size uint16) {
	*a = binary.NativeEndian.AppendUint16(*a, 4+size)
	*a = binary.NativeEndian.AppendUint16(*a, kind)
}

func (a *attrs) u8(kind uint16, v uint8) {
	a.head(kind, 1)
	*a = append(*a, v, 0, 0, 0)
}

func (a *attrs) u16(kind uint16, v uint16) {
	a.head(kind, 2)
	*a = append(binary.NativeEndian.AppendUint16(*a, v), 0, 0)
}

func (a *attrs) be16(kind uint16, v uint16) {
	a.head(kind, 2)
	*a = append(binary.BigEndian.AppendUint16(*a, v), 0, 0)
}

func (a *attrs) u32(kind uint16, v uint32) {
	a.head(kind, 4)
	*a = binary.NativeEndian.AppendUint32(*a, v)
}

func (a *attrs) be32(kind uint16, v uint32) {
	a.head(kind, 4)
	*a = binary.BigEndian.AppendUint32(*a, v)
}

func (a *attrs) text(kind uint16, v string) {
	start := a.begin(kind)
	*a = append(append(*a, v...), 0)
	a.end(start)
}

func (a *attrs) bytes(kind uint16, v []byte) {
	start := a.begin(kind)
	*a = append(*a, v...)
	a.end(start)
}

// fields are the attributes of a message by kind. Reading one that is absent
// or short gives zero: the kernel leaves out what it does not know.
type fields [maxField + 1][]byte

// maxField is the largest attribute that is read; the kernel may send others.
const maxField = 16

// parse reads a list of attributes.
func parse(data []byte) (f fields, err error) {
	for len(data) >= 4 {
		size := int(binary.NativeEndian.Uint16(data))
		kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if size < 4 || size > len(data) {
			return fields{}, fmt.Errorf("attribute %d of %d bytes in %d", kind, size, len(data))
		}
		if kind <= maxField {
			f[kind] = data[4:size]
		}
		data = data[min(align(size), len(data)):]
	}
	return f, nil
}

func (f *fields) u8(kind uint16) uint8 {
	if v := f[kind]; len(v) >= 1 {
		return v[0]
	}
	return 0
}

func (f *fields) u16(kind uint16) uint16 {
	if v := f[kind]; len(v) >= 2 {
		return binary.NativeEndian.Uint16(v)
	}
	return 0
}

func (f *fields) be16(kind uint16) uint16 {
	if v := f[kind]; len(v) >= 2 {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (f *fields) u32(kind uint16) uint32 {
	if v := f[kind]; len(v) >= 4 {
		return binary.NativeEndian.Uint32(v)
	}
	return 0
}

func (f *fields) u64(kind uint16) uint64 {
	if v := f[kind]; len(v) >= 8 {
		return binary.NativeEndian.Uint64(v)
	}
	return 0
}

func (f *fields) text(kind uint16) string {
	v := f[kind]
	for i, b := range v {
		if b == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}
