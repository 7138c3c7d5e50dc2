package ipvs

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func daemonOf(r Role, id uint8) Daemon {
	return Daemon{Role: r, Interface: "e0", ID: id, Group: SyncGroup, Port: SyncPort, TTL: 1}
}

var sameGroup = gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestDaemonsOnTheWire(t *testing.T) {
	six := daemonOf(Receiver, 255)
	six.Group, six.MaxLen, six.Interface = SyncGroup6, 1024, "fifteen-letters"
	for name, c := range map[string]struct {
		d    Daemon
		want string // of a host with the least byte first
	}{
		"a sender": {daemonOf(Sender, 51), "0800010001000000 0700020065300000 0800030033000000 08000500e0000051 0600070090220000 0500080001000000"},
		"a receiver by IPv6 with a bound": {six, "0800010002000000 140002006669667465656e2d6c65747465727300 08000300ff000000 0600040000040000 " +
			"14000600ff120000000000000000000000000081 0600070090220000 0500080001000000"},
	} {
		var a attrs
		encodeDaemon(&a, c.d)
		if got := hex.EncodeToString(a); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
		got, err := decodeDaemon(a)
		if diff := gocmp.Diff(c.d, got, sameGroup); err != nil || diff != "" {
			t.Errorf("%s is read as (-want +got)\n%s%v", name, diff, err)
		}
	}
	old := attrs{}
	old.u32(daemonRole, 1)
	old.text(daemonInterface, "e0")
	old.u32(daemonID, 51)
	if got, err := decodeDaemon(old); err != nil || got != daemonOf(Sender, 51) {
		t.Errorf("one of a kernel that knows no groups is %v, %v", got, err)
	}
}

func TestWhatIsDoneAboutDaemons(t *testing.T) {
	sender, receiver := daemonOf(Sender, 51), daemonOf(Receiver, 51)
	both := []Daemon{sender, receiver}
	long := sender
	long.MaxLen = 1472
	bounded := sender
	bounded.MaxLen = 224
	other := daemonOf(Sender, 52)
	for name, c := range map[string]struct {
		have, want, ours []Daemon
		plan             DaemonPlan
	}{
		"nothing is wanted and there":                {plan: DaemonPlan{}},
		"both are started, the receiver first":       {want: both, plan: DaemonPlan{Start: []Daemon{receiver, sender}}},
		"what is there stays":                        {have: both, want: both, ours: both},
		"whoever has started it":                     {have: both, want: both},
		"with the kernel's own bound":                {have: []Daemon{long}, want: []Daemon{sender}, ours: []Daemon{sender}},
		"ours with another bound is started anew":    {have: []Daemon{long}, want: []Daemon{bounded}, ours: []Daemon{sender}, plan: DaemonPlan{Stop: []Role{Sender}, Start: []Daemon{bounded}}},
		"ours with another id is started anew":       {have: []Daemon{other}, want: []Daemon{sender}, ours: []Daemon{other}, plan: DaemonPlan{Stop: []Role{Sender}, Start: []Daemon{sender}}},
		"somebody else's stays, the other starts":    {have: []Daemon{other}, want: both, ours: both, plan: DaemonPlan{Start: []Daemon{receiver}, Foreign: []Daemon{other}}},
		"what is not wanted any more is stopped":     {have: both, ours: both, plan: DaemonPlan{Stop: []Role{Receiver, Sender}}},
		"somebody else's that is not wanted is none": {have: both},
	} {
		if diff := gocmp.Diff(c.plan, PlanDaemons(c.have, c.want, c.ours), sameGroup, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func FuzzDaemon(f *testing.F) {
	var a attrs
	encodeDaemon(&a, daemonOf(Sender, 51))
	f.Add([]byte(a))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := decodeDaemon(data)
		if err != nil {
			return
		}
		var a attrs
		encodeDaemon(&a, d)
		if again, err := decodeDaemon(a); err != nil || again != d {
			t.Errorf("%v is %v after a second time, %v", d, again, err)
		}
	})
}
