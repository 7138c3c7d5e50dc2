//go:build kernel

package conn

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gslb/vrrp"
)

// memory holds addresses by remembering them, and fails when told to.
type memory struct {
	mu   sync.Mutex
	held []Holding
	busy bool
	fail error
	t    *testing.T
}

func (m *memory) Hold(_ context.Context, held []Holding) error {
	m.mu.Lock()
	if m.busy {
		m.t.Error("asked by two at the same time")
	}
	m.busy = true
	m.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy = false
	if m.fail != nil && held != nil {
		return m.fail
	}
	m.held = held
	return nil
}

func (m *memory) has() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held) > 0
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Two members in one namespace, on the ends of a cable. As root it runs on any
// kernel with veth, also with the race detector:
//
//	unshare -n go test -race -tags kernel -run TestMembers ./vrrp/conn
func TestMembersInOneProcess(t *testing.T) {
	ip(t, "link add name m0 type veth peer name m1")
	defer ip(t, "link del m0")
	for dev, a := range map[string]string{"m0": "fe80::b", "m1": "fe80::c"} {
		ip(t, "link set dev "+dev+" up")
		ip(t, "addr add "+a+"/64 dev "+dev+" nodad")
	}
	config := func(device, self, peer string, priority uint8) vrrp.Config {
		return vrrp.Config{
			Name: device, Priority: priority, Interval: 200 * time.Millisecond, Preempt: true,
			Instances: []vrrp.Instance{{
				ID: 51, Version: 3, Interface: device, Source: addr(self), Addrs: []netip.Addr{vrrp.LinkLocal(51)}, Peers: []netip.Addr{addr(peer)},
			}},
			Flap: vrrp.Flap{Count: 1, Window: time.Minute, Hold: time.Second, Max: time.Minute},
		}
	}
	join := func(c vrrp.Config, hands *memory, saved *Saved) *Member {
		hands.t = t
		m, err := Join(c, hands, Options{Saved: saved})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, second := config("m0", "fe80::b", "fe80::c", 200), config("m1", "fe80::c", "fe80::b", 100)
	one, two := &memory{}, &memory{}
	a := join(first, one, nil)
	eventually(t, "the first is active", func() bool { return a.Status().Held })
	b := join(second, two, nil)

	// Everybody asks at once.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20 {
				a.Status()
				a.Tell(vrrp.Tracked{Penalty: uint8(i % 2)})
				b.Save()
				if err := a.Reload(first); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	a.Tell(vrrp.Tracked{})

	wrong := first
	wrong.Instances = []vrrp.Instance{first.Instances[0]}
	wrong.Instances[0].Interface = "nowhere"
	if err := a.Reload(wrong); err == nil || !strings.Contains(err.Error(), "virtual router 51 on nowhere") {
		t.Errorf("an interface that is not there: %v", err)
	}
	if !one.has() || two.has() || a.Status().Router.State.Role != vrrp.Active {
		t.Error("reloading has moved the addresses")
	}

	text, err := json.Marshal(a.HandOver())
	if err != nil {
		t.Fatal(err)
	}
	a.Tell(vrrp.Ready{}) // nobody is there
	if err := a.Reload(first); err == nil {
		t.Error("a member that has ended was reloaded")
	}
	var saved Saved
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	a = join(first, one, &saved)
	if s := a.Status(); s.Router.State.Role != vrrp.Active || s.Clock < s.Router.State.Since {
		t.Errorf("it goes on as %+v", s.Router.State)
	}
	time.Sleep(time.Second)
	if two.has() {
		t.Error("handing over has moved the addresses")
	}

	// What the hands cannot hold goes to the other.
	one.mu.Lock()
	one.fail = errors.New("no room")
	one.mu.Unlock()
	if err := a.Reload(first); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second has them", func() bool { return two.has() && !one.has() })
	if s := a.Status().Router.State; s.HeldUntil == 0 || s.Role != vrrp.Backup {
		t.Errorf("the first goes on as %+v", s)
	}
	one.mu.Lock()
	one.fail = nil
	one.mu.Unlock()
	eventually(t, "the first has them again", func() bool { return one.has() && !two.has() })

	if err := a.Stop(context.Background()); err != nil || one.has() {
		t.Errorf("stopped: %v, has the addresses: %v", err, one.has())
	}
	eventually(t, "the second has them", two.has)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Stop(ctx); err == nil && two.has() {
		t.Error("it says that the addresses are dropped, and they are not")
	}
}
