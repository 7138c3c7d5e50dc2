//go:build kernel

package hostnet

import (
	"os/exec"
	"strings"
	"testing"

	"gslb/tiers"
	"gslb/topology"
)

// filters are what a device marks, as tc shows it.
func filters(t *testing.T, device string) string {
	t.Helper()
	out, err := exec.Command("tc", "filter", "show", "dev", device, "ingress").CombinedOutput()
	if err != nil {
		t.Fatalf("tc: %v\n%s", err, out)
	}
	return string(out)
}

func TestMarksAreWhatIsWantedAndNothingElseIsTouched(t *testing.T) {
	record := newHost(t)
	tcp := func(port uint16) topology.Port { return topology.Port{Proto: topology.TCP, Number: port} }
	step := func(name string, want []tiers.Mark, changes int, has, hasNot string) {
		t.Helper()
		done, err := Converge(tiers.Host{Marks: want}, record)
		if err != nil || len(done) != changes {
			t.Errorf("%s: %d changes, want %d (%v)\n%s", name, len(done), changes, err, strings.Join(done, "\n"))
		}
		got := filters(t, "e0")
		if !strings.Contains(got, has) || hasNot != "" && strings.Contains(got, hasNot) {
			t.Errorf("%s: want %q and not %q in\n%s", name, has, hasNot, got)
		}
	}
	a := tiers.Mark{VIP: addr("192.0.2.6"), Port: tcp(80), Mark: 7, Link: edge}
	b := tiers.Mark{VIP: addr("192.0.2.6"), Port: tcp(443), Mark: 7, Link: edge}
	c := tiers.Mark{VIP: addr("2001:db8::6"), Port: tcp(80), Mark: 6, Link: edge}
	step("two of one family", []tiers.Mark{a, b}, 2, "dst_port 443", "")
	step("the same", []tiers.Mark{a, b}, 0, "mark 7", "")
	if out, err := exec.Command("tc", "filter", "add", "dev", "e0", "ingress", "pref", "5", "protocol", "ip", "flower", "dst_ip", "192.0.2.99", "action", "skbedit", "mark", "99").CombinedOutput(); err != nil {
		t.Fatalf("a filter of somebody else: %v\n%s", err, out)
	}
	step("one goes, one of the other family comes", []tiers.Mark{a, c}, 2, "mark 6", "dst_port 443")
	b.Mark = 8
	step("another mark", []tiers.Mark{b}, 3, "mark 8", "mark 6")
	step("none", nil, 1, "mark 99", "mark 8")
	if out, _ := exec.Command("tc", "filter", "del", "dev", "e0", "ingress", "pref", "5").CombinedOutput(); len(out) > 0 {
		t.Fatalf("%s", out)
	}
}
