package ipvs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"strconv"
	"time"

	"gslb/topology"
)

// A Conn is an entry of the kernel's table of connections.
type Conn struct {
	Proto       topology.Proto // NoProto: neither TCP nor UDP, or a template of a service by mark
	Client      netip.AddrPort
	Virtual     netip.AddrPort // where the client connected to; of a template by mark the address is 0.0.0.MARK or the like
	Destination netip.AddrPort
	State       string        // ESTABLISHED, UDP, NONE, ASSURED ...
	Expires     time.Duration // in whole seconds, if no packet comes
	// Template says that this is no connection but the memory of a client by
	// persistence, which keeps its next connections where they are.
	Template bool
	Engine   string // of persistence
	ID       string // what the engine knows the client by, as the kernel prints it
}

// connsPath is the table of connections as text, in the namespace of the thread.
const connsPath = "/proc/thread-self/net/ip_vs_conn"

// Conns goes through the kernel's table of connections, of which there may be
// millions: one at a time, until the loop is left or ctx ends. An error ends it.
// Entries that come and go meanwhile may be missing or, seldom, come twice.
func Conns(ctx context.Context) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		f, err := os.Open(connsPath)
		if err != nil {
			yield(Conn{}, fmt.Errorf("read the kernel's connections: %w", err))
			return
		}
		defer f.Close()
		for c, err := range scanConns(f) {
			if err == nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Conn{}, fmt.Errorf("read the kernel's connections: %w", err))
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// scanConns reads the text, whose first line is the heading. Lines are as
// ip_vs_conn_seq_show in ip_vs_conn.c writes them.
func scanConns(text io.Reader) iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		in := bufio.NewReaderSize(text, 64<<10)
		for n := 1; ; n++ {
			row, err := in.ReadSlice('\n')
			if err == io.EOF && len(row) == 0 {
				return
			}
			if err != nil {
				yield(Conn{}, fmt.Errorf("%s:%d: %w", connsPath, n, err))
				return
			}
			if n == 1 {
				continue
			}
			c, ok := parseConn(row)
			if !ok {
				yield(Conn{}, fmt.Errorf("%s:%d: %q is no connection", connsPath, n, row))
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// parseConn reads "TCP CB007107 C350 C0000201 0050 0A000001 0050 ESTABLISHED     899",
// after which may come the name of a persistence engine and its data.
func parseConn(b []byte) (c Conn, ok bool) {
	next := func() (w []byte) {
		w, b = word(b)
		return w
	}
	switch proto := next(); string(proto) {
	case "TCP":
		c.Proto = topology.TCP
	case "UDP":
		c.Proto = topology.UDP
	case "":
		return Conn{}, false
	}
	for _, end := range []*netip.AddrPort{&c.Client, &c.Virtual, &c.Destination} {
		addr, port := next(), next()
		if *end, ok = hexPair(addr, port); !ok {
			return Conn{}, false
		}
	}
	c.State = string(next())
	seconds, err := strconv.ParseUint(string(next()), 10, 32)
	if err != nil || c.State == "" {
		return Conn{}, false
	}
	c.Expires = time.Duration(seconds) * time.Second
	c.Template = c.Client.Port() == 0 && (c.State == "NONE" || c.State == "ASSURED")
	c.Engine = string(next())
	c.ID = string(bytes.TrimSpace(b))
	return c, true
}

// hexPair reads an address, "C0000201" or with colons, and a port.
func hexPair(addr, port []byte) (netip.AddrPort, bool) {
	n, ok := hexNumber(port)
	if !ok || n > 65535 {
		return netip.AddrPort{}, false
	}
	if len(addr) == 8 && !bytes.Contains(addr, []byte(":")) {
		v, ok := hexNumber(addr)
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), uint16(n)), ok
	}
	a, err := netip.ParseAddr(string(addr))
	return netip.AddrPortFrom(a, uint16(n)), err == nil && a.Is6() && a.Zone() == ""
}
