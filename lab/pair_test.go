//go:build lab

package lab_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// asTalkers is the variable that makes the test binary users of a service:
// talkers as JSON.
const asTalkers = "LAB_TEST_TALK"

func TestMain(m *testing.M) {
	if text := os.Getenv(asTalkers); text != "" {
		var w talkers
		err := json.Unmarshal([]byte(text), &w)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(w.talk())
		}
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if text := os.Getenv(asGroups); text != "" {
		if err := talkInGroups(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	talking   = 20 // connections
	talkEvery = 100 * time.Millisecond
)

// Talkers are users of a service.
type talkers struct {
	To string // address and port
	// Ages are how old their connections are when something happens, in turn, the
	// oldest first; they go on for After.
	Ages  []time.Duration
	After time.Duration
}

// begun is there when the users begin: a program is long in starting when the
// machine is busy.
const begun = "/tmp/begun"

// usual are connections that are 3 s old.
func usual(to string) talkers {
	return talkers{to, []time.Duration{3 * time.Second}, 10 * time.Second}
}

// talked is what became of connections that said something all the time.
type talked struct {
	Whole  int           // connections that lived to the end
	Said   int           // numbered requests with the right answers
	Pause  time.Duration // the longest between a request and its answer
	Errors []string
}

// talk holds connections, each of which sends numbered requests and compares
// what comes back.
func (w talkers) talk() (out talked) {
	if err := os.WriteFile(begun, nil, 0o644); err != nil {
		return talked{Errors: []string{err.Error()}}
	}
	end := time.Now().Add(w.Ages[0] + w.After)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range talking {
		wait.Go(func() {
			time.Sleep(w.Ages[0] - w.Ages[i%len(w.Ages)])
			said, pause, err := talk(w.To, end)
			mu.Lock()
			defer mu.Unlock()
			out.Said += said
			out.Pause = max(out.Pause, pause)
			if err != nil {
				out.Errors = append(out.Errors, fmt.Sprintf("%v old, after %d answers: %v", w.Ages[i%len(w.Ages)], said, err))
			} else {
				out.Whole++
			}
		})
	}
	wait.Wait()
	return out
}

func talk(to string, end time.Time) (said int, pause time.Duration, err error) {
	conn, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	server := ""
	for ; time.Now().Before(end); time.Sleep(talkEvery) {
		at := time.Now()
		if err := conn.SetDeadline(at.Add(20 * time.Second)); err != nil {
			return said, pause, err
		}
		if _, err := fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: www\r\n\r\n", said); err != nil {
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
	}
	return said, pause, nil
}

func TestAPairOfFrontsTakesOver(t *testing.T) {
	s := newSandboxOf(t, "testdata/pair.hcl")
	const a, b = `director.front["a"]`, `director.front["b"]`
	nats := [2]string{`director.nat["a"]`, `director.nat["b"]`}
	const ( // the cable of the first
		pull = "; ip -4 route show default >/tmp/route4; ip -6 route show default >/tmp/route6; ip link set e0 down"
		plug = "ip link set e0 up; ip addr add 2001:db8:0:1::11/64 dev e0 nodad; ip route add $(cat /tmp/route4); ip -6 route add $(cat /tmp/route6)"
	)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holds := func(node string) {
		t.Helper()
		s.until(node, "ip -o addr show dev e0", "both VIPs", has("192.0.2.5/32", "2001:db8:0:1::5/128"))
	}
	lacks := func(node string) {
		t.Helper()
		s.until(node, "ip -o addr show dev e0", "no VIP", func(out string) bool {
			return strings.Contains(out, "192.0.2.1") && !strings.Contains(out, "192.0.2.5/") && !strings.Contains(out, "::5/")
		})
	}
	status := func(node string) string { return s.sh(node, program(t, "director")+" status") }
	holds(a)
	lacks(b)
	table := has("-r 192.0.2.21:80 -i -w 1", "-r 192.0.2.22:80 -i -w 1")
	for _, node := range []string{a, b} { // the backup's checks see the same
		s.until(node, "ipvsadm -Sn", "the whole table", table)
	}
	s.until(b, program(t, "director")+" status", "a backup that is ready", func(out string) bool {
		return strings.Contains(out, ": backup for") && !strings.Contains(out, "not ready")
	})

	// whileTalking has connections talk, and something happen when they are as old
	// as they shall be.
	whileTalking := func(what string, w talkers, do func()) talked {
		t.Helper()
		var got talked
		done := make(chan string)
		text, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- s.sh("client.eu", fmt.Sprintf("%s='%s' %s", asTalkers, text, self)) }()
		s.until("client.eu", "rm "+begun+" 2>&1", "users", func(out string) bool { return out == "" })
		time.Sleep(w.Ages[0])
		do()
		out := <-done
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out)
		}
		t.Logf("%s: %d of %d connections lived on, %d numbered answers, the longest pause %v", what, got.Whole, talking, got.Said, got.Pause.Round(10*time.Millisecond))
		return got
	}
	logs := func() string {
		var out strings.Builder
		for _, node := range []string{a, b, nats[0], nats[1]} {
			fmt.Fprintf(&out, "%s:\n%s\n", node, s.sh(node, "cat $RUNTIME_DIRECTORY.log; cat $RUNTIME_DIRECTORY/again.log 2>/dev/null"))
		}
		return out.String()
	}
	during := func(what, to string, do func()) {
		t.Helper()
		if got := whileTalking(what, usual(to), do); got.Whole != talking {
			t.Errorf("%s: %q\n%s", what, got.Errors, logs())
		}
	}
	again := func() { // the next director begins
		s.sh(a, fmt.Sprintf(`%s run %s --node '%s' >>$RUNTIME_DIRECTORY/again.log 2>&1 &`, program(t, "director"), s.file, a))
	}
	during("IPv4, the active director is killed and its cable pulled", "192.0.2.5:80", func() {
		s.sh(a, "kill -9 "+s.pid(a)+pull)
	})
	holds(b)
	during("IPv4, it comes back and takes the VIPs back after its delay", "192.0.2.5:80", func() {
		s.sh(a, plug)
		again()
	})
	holds(a)
	lacks(b)
	during("IPv6, an operator moves the VIPs", "[2001:db8:0:1::5]:80", func() {
		if out := s.sh(a, program(t, "director")+" failover failover.front"); !strings.Contains(out, "has given up the VIPs") {
			t.Error(out)
		}
	})
	holds(b)
	lacks(a)
	if out := status(a); !has("failover.front  192.0.2.5, 2001:db8:0:1::5: backup for", "an operator said so", "an operator's will: yield", `heard director.front["b"] with priority 190`)(out) {
		t.Errorf("status\n%s", out)
	}
	during("IPv4, and takes that back", "192.0.2.5:80", func() {
		s.sh(a, program(t, "director")+" failover failover.front --back")
	})
	holds(a)
	lacks(b)
	if out := status(b); !has(": backup for", "is active with priority 200")(out) {
		t.Errorf("status\n%s", out)
	}
	during("IPv4, the active director is stopped", "192.0.2.5:80", func() {
		s.sh(a, program(t, "director")+" stop")
	})
	holds(b)
	lacks(a)
	if out := s.log(b); !strings.Contains(out, "the active router resigned") {
		t.Errorf("it did not resign\n%s", out)
	}
	if out := status(b); !has("failover.front.track.router  up", "signs with key")(out) {
		t.Errorf("status\n%s", out)
	}

	// The same by DR.
	s.sh(a, `sed -i 's/method    = "tun"/method    = "dr"/' `+s.file)
	for _, node := range []string{b, nats[0], nats[1]} {
		s.reload(node)
	}
	again()
	holds(a)
	lacks(b)
	for _, node := range []string{a, b} {
		s.until(node, "ipvsadm -Sn", "the whole table", has("-r 192.0.2.21:80 -g -w 1", "-r 192.0.2.22:80 -g -w 1"))
	}
	during("IPv4 by DR, the active director is killed and its cable pulled", "192.0.2.5:80", func() {
		s.sh(a, "kill -9 "+s.pid(a)+pull)
	})
	holds(b)
	s.sh(a, plug)

	// The control: by another scheduler the same death ends connections, or else
	// nothing above is proved.
	s.sh(a, `sed -i 's/scheduler = "mh"/scheduler = "rr"/' `+s.file)
	s.reload(b)
	again()
	holds(a)
	lacks(b)
	for _, node := range []string{a, b} {
		s.until(node, "ipvsadm -Sn", "the other scheduler", has("-t 192.0.2.5:80 -s rr"))
	}
	got := whileTalking("by rr, the active director is killed while its node lives on", usual("192.0.2.5:80"), func() {
		s.sh(a, "kill -9 "+s.pid(a))
	})
	if got.Whole == talking || got.Said == 0 {
		t.Errorf("%d connections of %d lived on\n%s", got.Whole, talking, logs())
	}
	holds(b)
	lacks(a) // nobody has taken them out: their time is over

	// With copies of connections they live on by that scheduler too: some that were
	// there when the first one came back, and some that are 1 s old when it dies.
	s.sh(a, `sed -i 's/# sync/sync/' `+s.file)
	s.reload(b)
	got = whileTalking("by rr with copies, the first director comes back, is killed 12 s later and its cable pulled", talkers{
		To: "192.0.2.5:80", Ages: []time.Duration{2 * time.Second, -11 * time.Second}, After: 22 * time.Second,
	}, func() {
		dies := time.Now().Add(12 * time.Second)
		again()
		holds(a)
		lacks(b)
		time.Sleep(time.Until(dies))
		s.sh(a, "kill -9 "+s.pid(a)+pull)
	})
	if got.Whole != talking {
		t.Errorf("%q\n%s", got.Errors, logs())
	}
	holds(b)
	s.sh(a, plug)
	again()
	s.until(a, program(t, "director")+" status", "a member that hears the other", has("copies connections as id 51 on e0: ", `; director.front["b"] has `))
	// Another id at one of them is said at the other.
	s.sh(a, `sed -i 's/sync = {}/sync = { id = 52 }/' `+s.file)
	s.reload(a)
	s.until(b, program(t, "director")+" status", "that the ids differ", has(`director.front["a"] copies with sync id 52, this director with 51`))
	s.sh(a, `sed -i 's/sync = { id = 52 }/sync = {}/' `+s.file)
	s.reload(a)
	for _, node := range []string{a, b} {
		s.until(node, program(t, "director")+" status", "nothing is wrong any more", func(out string) bool {
			return strings.Contains(out, "copies connections") && !strings.Contains(out, "trouble")
		})
	}
}
