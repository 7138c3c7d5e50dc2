package ipvs

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestMessagesOfSyncDaemons(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"one connection, version 1":    {"00330030 01010000" + strings.Repeat("00", 40), "{51 1 1} <nil>"},
		"two connections, version 0":   {"02070034" + strings.Repeat("00", 48), "{7 0 2} <nil>"},
		"nothing":                      {"", "{0 0 0} a sync message of 0 bytes"},
		"a head that breaks off":       {"00330006 0101", "{0 0 0} a sync message of 6 bytes"},
		"a version that nobody speaks": {"00330008 01020000", "{0 0 0} a sync message of version 2"},
		"a length that is not true":    {"00330009 01010000", "{0 0 0} a sync message of 8 bytes says that it has 9"},
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(c.data, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMessage(data)
		if got := fmt.Sprint(m, err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func FuzzSyncMessage(f *testing.F) {
	f.Add([]byte{0, 51, 0, 8, 1, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseMessage(data); err != nil && m != (Message{}) || m.Version > 1 || m.Connections > 255 {
			t.Errorf("%v, %v", m, err)
		}
	})
}
