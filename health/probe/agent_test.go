package probe

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

func TestAgents(t *testing.T) {
	says := func(parts ...string) net.Addr {
		return listen(t, func(c net.Conn) {
			for _, part := range parts {
				io.WriteString(c, part)
				time.Sleep(5 * time.Millisecond)
			}
			c.Close()
		})
	}
	for name, c := range map[string]struct {
		addr net.Addr
		send string
		want health.Advice
		bad  string // part of the error, "" for alive
	}{
		"a percentage":                {says("75%\n"), "", health.Advice{Weighs: true, Weight: 75}, ""},
		"in pieces, ended by the end": {says("dra", "in 5", "0%"), "", health.Advice{Ruled: true, Mode: health.Drained, Weighs: true, Weight: 50}, ""},
		"down says what and why":      {says("down #disk full\n"), "", health.Advice{Told: true, Stopped: true, Reason: "disk full"}, "the agent says that it is down: disk full"},
		"maint too":                   {says("maint\n"), "", health.Advice{Ruled: true, Mode: health.Disabled}, "being worked on"},
		"what it is sent": {listen(t, func(c net.Conn) {
			buf := make([]byte, 9)
			n, _ := c.Read(buf)
			fmt.Fprintf(c, "%s\n", buf[:n])
			c.Close()
		}), "up 5%", health.Advice{Told: true, Weighs: true, Weight: 5}, ""},
		"one that keeps the connection": {listen(t, func(c net.Conn) { io.WriteString(c, "up\n"); time.Sleep(time.Minute) }), "", health.Advice{Told: true}, ""},
		"nothing":                       {says(), "", health.Advice{}, "closed without a line"},
		"a web server":                  {says("HTTP/1.1 200 OK\r\n"), "", health.Advice{}, `says "HTTP/1.1"`},
		"a line without end":            {says(strings.Repeat("up ", 1000)), "", health.Advice{}, "longer than 1024 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			chk := check(topology.CheckAgent)
			chk.Timeout, chk.Send = 10*time.Second, c.send
			r := Once(t.Context(), probeOf(t, c.addr, chk))
			if diff := cmp.Diff(c.want, r.Advice); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (c.bad == "") != (r.Err == nil) || r.Err != nil && !strings.Contains(r.Err.Error(), c.bad) {
				t.Errorf("error %v, want %q", r.Err, c.bad)
			}
		})
	}
}

func TestAfterAResult(t *testing.T) {
	up := health.State{Known: true, Up: true}
	agent, web := &topology.Check{Type: topology.CheckAgent, Rise: 2, Fall: 2}, &topology.Check{Type: topology.CheckHTTP, Rise: 2, Fall: 1}
	for name, c := range map[string]struct {
		check *topology.Check
		r     Result
		want  string
	}{
		"a failure":                       {web, Result{Err: io.EOF}, "false "},
		"an agent that does not answer":   {agent, Result{Err: io.EOF}, "true "},
		"an agent that calls itself down": {agent, Result{Err: io.EOF, Advice: health.Advice{Told: true, Stopped: true}}, "false stopped"},
		"an agent that wants less":        {agent, Result{Advice: health.Advice{Weighs: true, Weight: 10}}, "true 10 %"},
	} {
		s := c.r.After(up, c.check, time.Time{})
		if got := fmt.Sprint(s.Up, " ", s.Agent); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
