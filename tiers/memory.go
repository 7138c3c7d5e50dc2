package tiers

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gslb/topology"
)

// Equal reports whether both remember the same.
func (m Memory) Equal(o Memory) bool {
	return maps.EqualFunc(m, o, func(a, b Remembered) bool {
		return a.Lost == b.Lost && slices.Equal(a.Emptied, b.Emptied)
	})
}

// memoryFile is the form in which a memory is kept, by [Key.String].
type memoryFile struct {
	FormatVersion int                   `json:"format_version"`
	Services      map[string]Remembered `json:"services"`
}

// maxMemory bounds, in bytes, what is read.
const maxMemory = 64 << 20

// Encode returns the memory as [ReadMemory] reads it.
func (m Memory) Encode() []byte {
	file := memoryFile{FormatVersion: 1, Services: map[string]Remembered{}}
	for k, r := range m {
		file.Services[k.String()] = r
	}
	data, err := json.Marshal(file)
	if err != nil {
		panic("tiers: " + err.Error()) // there is nothing in it that has no JSON
	}
	return append(data, '\n')
}

// ReadMemory reads what [Memory.Encode] has made.
func ReadMemory(data []byte) (Memory, error) {
	var file memoryFile
	if len(data) > maxMemory {
		return nil, fmt.Errorf("read decisions: %d bytes are more than %d", len(data), maxMemory)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	if file.FormatVersion != 1 {
		return nil, fmt.Errorf("read decisions: format version %d is not 1", file.FormatVersion)
	}
	m := Memory{}
	for text, r := range file.Services {
		k, err := ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("read decisions: %w", err)
		}
		m[k] = r
	}
	return m, nil
}

// ParseKey reads what [Key.String] writes of a service over TCP or UDP or by mark.
func ParseKey(s string) (Key, error) {
	kind, rest, _ := strings.Cut(s, " ")
	if kind == "fwmark" {
		number, v6 := strings.CutSuffix(rest, " v6")
		hex, ok := strings.CutPrefix(number, "0x")
		mark, err := strconv.ParseUint(hex, 16, 32)
		if !ok || err != nil || mark == 0 {
			return Key{}, fmt.Errorf("service %q: want fwmark 0x7 or fwmark 0x7 v6", s)
		}
		return MarkKey(uint32(mark), v6), nil
	}
	proto, err := topology.ParseProto(kind)
	if err != nil {
		return Key{}, fmt.Errorf("service %q: protocol: %w", s, err)
	}
	vip, err := netip.ParseAddrPort(rest)
	if err != nil {
		return Key{}, fmt.Errorf("service %q: %w", s, err)
	}
	return VIPKey(proto, vip), nil
}
