//go:build lab

package lab_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// asGroups is the variable that makes the test binary users of services that
// never wait for an answer before they ask again: groups of connections as JSON.
const asGroups = "LAB_TEST_TALK_IN_GROUPS"

// A group is connections that begin at the same time.
type group struct {
	To    string
	Count int
	Begin time.Duration // from the start of the test binary on
	// After and Until are files: they begin when the first is there, "" for at
	// once, and end when the second is.
	After, Until string
}

// mostTalk is when groups end in any case.
const mostTalk = 4 * time.Minute

// talkInGroups prints what became of the connections.
func talkInGroups(text string) error {
	var groups []group
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return err
	}
	var out talked
	var mu sync.Mutex
	var wait sync.WaitGroup
	begin := time.Now()
	there := func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}
	for _, g := range groups {
		for range g.Count {
			wait.Go(func() {
				time.Sleep(g.Begin)
				for g.After != "" && !there(g.After) {
					time.Sleep(talkEvery)
				}
				said, pause, err := chatter(g.To, func() bool { return time.Since(begin) > mostTalk || there(g.Until) })
				mu.Lock()
				defer mu.Unlock()
				out.Said += said
				out.Pause = max(out.Pause, pause)
				if err != nil {
					out.Errors = append(out.Errors, fmt.Sprintf("%s, since %v%s: %v", g.To, g.Begin, g.After, err))
				} else {
					out.Whole++
				}
			})
		}
	}
	wait.Wait()
	return json.NewEncoder(os.Stdout).Encode(out)
}

// chatter asks all the time, with numbers, and compares all answers. The last
// one is asked for when it is over.
func chatter(to string, over func() bool) (said int, pause time.Duration, err error) {
	conn, err := net.DialTimeout("tcp", to, 5*time.Second)
	for begin := time.Now(); err != nil && time.Since(begin) < 20*time.Second; { // begun while nobody is there
		time.Sleep(talkEvery)
		conn, err = net.DialTimeout("tcp", to, 5*time.Second)
	}
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	go func() {
		for n, last := 0, ""; last == ""; n++ {
			if over() {
				last = "Connection: close\r\n"
			}
			if _, err := fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: www\r\n%s\r\n", n, last); err != nil {
				return // the reader sees why
			}
			time.Sleep(5 * talkEvery)
		}
	}()
	in := bufio.NewReader(conn)
	server := ""
	for closes := false; !closes; {
		at := time.Now()
		if err := conn.SetReadDeadline(at.Add(time.Minute)); err != nil {
			return said, pause, err
		}
		reply, err := http.ReadResponse(in, nil)
		if err != nil {
			return said, pause, err
		}
		line, err := bufio.NewReader(reply.Body).ReadString('\n')
		if err != nil && !strings.Contains(line, "server=") {
			return said, pause, err
		}
		reply.Body.Close()
		if server == "" {
			server = line
		}
		if line != server {
			return said, pause, errors.New("another answers: " + line)
		}
		said++
		pause = max(pause, time.Since(at))
		closes = reply.Close
	}
	return said, pause, nil
}

// Connections by NAT live on when the director that they go through dies, with
// its process and its cables, and when it comes back: in a first tier and behind
// another one, over both families, those that were just begun and older ones. It
// takes a client that speaks: what a server says by a director that does not know
// the connection has the server's address.
func TestPairsOfGatewaysTakeOver(t *testing.T) {
	// On a busy machine a server is as well as ever, and its answers are late.
	text, err := os.ReadFile("testdata/pairs.hcl")
	if err != nil {
		t.Fatal(err)
	}
	patient := filepath.Join(t.TempDir(), "pairs.hcl")
	text = bytes.Replace(text, []byte(`interval = "1s", timeout = "900ms"`), []byte(`interval = "4s", timeout = "3900ms"`), 1)
	if err := os.WriteFile(patient, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSandboxOf(t, patient)
	pairs := []struct {
		name, moves string // what its active member has
		a, b        string
		to          []string
	}{
		{"nat", "192.0.2.20/32 2001:db8:0:1::20/128 10.10.1.254/32 2001:db8:0:11::fe/128", `director.nat["a"]`, `director.nat["b"]`, []string{"192.0.2.5:80", "[2001:db8:0:1::5]:80"}},
		{"gate", "192.0.2.6/32 2001:db8:0:1::6/128 10.10.2.254/32 2001:db8:0:12::fe/128", `director.gate["a"]`, `director.gate["b"]`, []string{"192.0.2.6:80", "[2001:db8:0:1::6]:80"}},
	}
	addrs := "ip -o addr show dev e0; ip -o addr show dev e1"
	t.Cleanup(func() { // before the lab goes down
		if t.Failed() {
			for _, p := range pairs {
				t.Logf("%s\n%s\n%s\n%s", p.a, s.log(p.a), s.sh(p.a, "cat $RUNTIME_DIRECTORY/again.log"), s.log(p.b))
			}
		}
	})
	holds := func(node, moves string) {
		t.Helper()
		s.until(node, addrs, "what moves", has(strings.Fields(moves)...))
	}
	lacks := func(node, moves string) {
		t.Helper()
		s.until(node, addrs, "nothing that moves", func(out string) bool {
			for _, a := range strings.Fields(moves) {
				if strings.Contains(out, " "+a) {
					return false
				}
			}
			return strings.Contains(out, "10.10.")
		})
	}
	ready := func(node string) {
		t.Helper()
		s.until(node, program(t, "director")+" status", "a backup that is ready", func(out string) bool {
			return strings.Contains(out, ": backup for") && !strings.Contains(out, "not ready")
		})
	}
	for _, p := range pairs {
		holds(p.a, p.moves)
		lacks(p.b, p.moves)
		ready(p.b)
	}
	// The fronts have one destination, the address that moves, and hear from the
	// member that has it what is behind.
	for _, front := range []string{`director.front["a"]`, `director.front["b"]`} {
		s.until(front, "ipvsadm -Sn", "one destination", has("-t 192.0.2.5:80 -r 192.0.2.20:80 -i -w 1", "-r [2001:db8:0:1::20]:80 -i -w 1"))
	}

	// Old ones are 10 s, new ones 1 s when the directors die; still newer ones
	// begin when they come back.
	const dies = 10 * time.Second
	const back, stop = "/tmp/pairs-back", "/tmp/pairs-stop"
	var groups []group
	want := 0
	for _, p := range pairs {
		for _, to := range p.to {
			for _, g := range []group{{Count: 5}, {Count: 5, Begin: dies - time.Second}, {Count: 1, After: back}} {
				g.To, g.Until = to, stop
				groups = append(groups, g)
				want += g.Count
			}
		}
	}
	order, err := json.Marshal(groups)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	begin := time.Now()
	go func() { done <- s.sh("client.eu", fmt.Sprintf("%s='%s' %s", asGroups, order, self)) }()
	time.Sleep(time.Until(begin.Add(dies)))
	for _, p := range pairs {
		// What goes with the links is kept, to be put back.
		s.sh(p.a, "for dev in e0 e1; do ip -6 -o addr show dev $dev scope global | sed 's,.* inet6 \\([^ ]*/64\\).*,\\1,;t;d' >$RUNTIME_DIRECTORY/$dev; done; "+
			"ip -4 route show default >$RUNTIME_DIRECTORY/route4; ip -6 route show default >$RUNTIME_DIRECTORY/route6; kill -9 "+s.pid(p.a)+"; ip link set e0 down; ip link set e1 down")
	}
	for _, p := range pairs {
		holds(p.b, p.moves)
	}
	t.Logf("the others have taken over %.1f s after that", time.Since(begin.Add(dies)).Seconds())
	time.Sleep(time.Second)
	s.sh("client.eu", "touch "+back)
	for _, p := range pairs {
		s.sh(p.a, "for dev in e0 e1; do ip link set $dev up; for a in $(cat $RUNTIME_DIRECTORY/$dev); do ip addr add $a dev $dev nodad; done; done; "+
			"ip route add $(cat $RUNTIME_DIRECTORY/route4); ip -6 route add $(cat $RUNTIME_DIRECTORY/route6); "+
			fmt.Sprintf(`%s run %s --node '%s' >$RUNTIME_DIRECTORY/again.log 2>&1 &`, program(t, "director"), s.file, p.a))
	}
	for _, p := range pairs {
		holds(p.a, p.moves)
		lacks(p.b, p.moves)
	}
	t.Logf("the first have everything again %.1f s after they died", time.Since(begin.Add(dies)).Seconds())
	time.Sleep(3 * time.Second)
	s.sh("client.eu", "touch "+stop)
	var got talked
	out := <-done
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	t.Logf("%d of %d connections lived on, %d numbered answers, the longest pause %v", got.Whole, want, got.Said, got.Pause.Round(10*time.Millisecond))
	if got.Whole != want {
		t.Errorf("%s", strings.Join(got.Errors, "\n"))
	}
	status := s.sh(`director.gate["b"]`, program(t, "director")+" status")
	if !has("failover.gate  192.0.2.6, 2001:db8:0:1::6, gateway 10.10.2.254, 2001:db8:0:12::fe: backup for", `director.gate["a"]`)(status) {
		t.Errorf("status\n%s", status)
	}
}
