//go:build kernel

package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"gslb/topology"
)

// TestWorlds plays the scripts of testdata/worlds, each in a world of its own
// with the programs as they are. A script says of every measure that it takes
// ([with:X]) what fails without it (proves X): it is played once whole and once
// without each, and then the line that the measure is for has to fail, no line
// before it. doc/testing.md tells of the commands.
func TestWorlds(t *testing.T) {
	bin := os.Getenv("GSLB_BIN")
	if bin == "" {
		t.Fatal("GSLB_BIN is not set: run these tests with 'make kernel'")
	}
	if err := os.Setenv("PATH", bin+":"+os.Getenv("PATH")); err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Abs("testdata/worlds")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join(data, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", data, err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		measures := map[string]bool{"": true}
		for _, found := range regexp.MustCompile(`(?m)^\[with(?:out)?:([a-z_0-9]+)`).FindAllSubmatch(text, -1) {
			measures[string(found[1])] = true
		}
		for _, without := range slices.Sorted(maps.Keys(measures)) {
			name := strings.TrimSuffix(filepath.Base(script), ".txtar")
			if without != "" {
				name += " without " + without
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				play(t, script, data, bin, without)
			})
		}
	}
}

// play plays a script, without a measure when there is one to be left out.
func play(t *testing.T, script, data, bin, without string) {
	s := &stage{without: without, data: data, bin: bin, talks: map[string][]*talk{}, flows: map[string]net.Conn{}, running: map[string]*Process{}}
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for name := range words {
		commands[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			line := append([]string{name}, args...)
			if neg {
				line = append([]string{"!"}, line...)
			}
			if s.proved {
				return // the rest is about what is broken now
			}
			if err := s.do(line); err != nil {
				ts.Fatalf("%v%s", err, s.troubles())
			}
		}
	}
	testscript.Run(t, testscript.Params{
		Files: []string{script},
		Cmds:  commands,
		Setup: func(env *testscript.Env) error {
			s.dir = env.WorkDir
			env.Defer(s.close)
			return nil
		},
		Condition: func(text string) (bool, error) {
			kind, measure, _ := strings.Cut(text, ":")
			switch kind {
			case "with":
				return measure != without, nil
			case "without":
				return measure == without, nil
			}
			return false, fmt.Errorf("unknown condition %q: want with:MEASURE or without:MEASURE", text)
		},
	})
	t.Cleanup(func() {
		if without != "" && !s.proved && !t.Failed() {
			t.Errorf("the script has no line 'proves %s'", without)
		}
	})
}

// A stage is where one script is played.
type stage struct {
	without string // the measure that is left out
	proved  bool   // what that measure is for has failed
	hurried bool   // the line is to fail: nobody waits long for it
	dir     string // of the script's files
	data    string // of all scripts
	bin     string
	blind   []string // sysctls that the programs take for set, path=value

	world    *World
	programs Programs
	running  map[string]*Process
	talks    map[string][]*talk
	flows    map[string]net.Conn // datagrams from one address and port
	monitor  int                 // socket
	listens  bool
}

// An unmet expectation is what a script may want: any other error is a fault
// of the script or of the machine.
type unmet struct{ error }

func failing(format string, args ...any) error { return unmet{fmt.Errorf(format, args...)} }

// patience is how long a line may take to come true: so long that a machine
// that does much else does not matter. Without its measure a line has less,
// which can only let it fail.
func (s *stage) patience() time.Duration {
	if s.hurried {
		return 8 * time.Second
	}
	return 2 * time.Minute
}

// words are the commands of the scripts. It is filled by init, as some commands
// do others.
var words map[string]func(s *stage, args []string) error

func init() {
	words = map[string]func(s *stage, args []string) error{
		"until": (*stage).until, "proves": (*stage).proves,
		"world": (*stage).load, "edit": (*stage).edit, "blind": (*stage).blinded, "prepare": (*stage).prepare, "up": (*stage).up,
		"start": (*stage).start, "quit": (*stage).quit, "crash": (*stage).crash, "reload": (*stage).reload,
		"halt": (*stage).halt, "resume": (*stage).resume, "unplug": (*stage).unplug, "plug": (*stage).plug, "serve": (*stage).serve,
		"in": (*stage).in, "shows": (*stage).shows, "reach": (*stage).reach, "lost": (*stage).lost,
		"talk": (*stage).talk, "alive": (*stage).alive, "hangup": (*stage).hangup,
		"flow": (*stage).flow, "moves": (*stage).moves,
		"listen": (*stage).listen, "wrote": (*stage).wrote,
	}
}

func (s *stage) do(line []string) error {
	if len(line) == 0 {
		return errors.New("a command is missing")
	}
	name, args := line[0], line[1:]
	if name == "!" {
		err := s.do(args)
		switch {
		case err == nil:
			return failing("this should fail: %s", strings.Join(args, " "))
		case errors.As(err, new(unmet)):
			return nil
		}
		return err
	}
	f, ok := words[name]
	if !ok {
		return fmt.Errorf("there is no command %q", name)
	}
	return f(s, args)
}

// until does a command until it is met.
func (s *stage) until(line []string) error {
	for end := time.Now().Add(s.patience()); ; time.Sleep(200 * time.Millisecond) {
		err := s.do(line)
		if !errors.As(err, new(unmet)) || time.Now().After(end) {
			return err
		}
	}
}

// proves does a command that has to fail without the measure.
func (s *stage) proves(args []string) error {
	if len(args) < 2 {
		return errors.New("want: proves MEASURE,... COMMAND...")
	}
	if s.without == "" || !slices.Contains(strings.Split(args[0], ","), s.without) {
		return s.do(args[1:])
	}
	s.hurried = true
	err := s.do(args[1:])
	switch {
	case err == nil:
		return fmt.Errorf("this does not need %s: %s", s.without, strings.Join(args[1:], " "))
	case errors.As(err, new(unmet)):
		s.proved = true
		return nil
	}
	return err
}

func want(args []string, usage string) error {
	if len(args) != len(strings.Fields(usage)) {
		return fmt.Errorf("want: %s", usage)
	}
	return nil
}

func (s *stage) file() string { return filepath.Join(s.dir, "world.hcl") }

// load makes the world's topology of files, common ones or the script's own.
func (s *stage) load(args []string) error {
	if len(args) == 0 {
		return errors.New("want: world FILE...")
	}
	var all []byte
	for _, name := range args {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			text, err = os.ReadFile(filepath.Join(s.data, name))
		}
		if err != nil {
			return err
		}
		all = append(all, text...)
	}
	return os.WriteFile(s.file(), all, 0o644)
}

// edit replaces a text in the world's topology.
func (s *stage) edit(args []string) error {
	if err := want(args, "OLD NEW"); err != nil {
		return err
	}
	text, err := os.ReadFile(s.file())
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), args[0]) {
		return fmt.Errorf("the topology has no %q", args[0])
	}
	return os.WriteFile(s.file(), []byte(strings.ReplaceAll(string(text), args[0], args[1])), 0o644)
}

// blinded has the programs see a sysctl as set whatever it is, and their
// writing to it come to nothing.
func (s *stage) blinded(args []string) error {
	if err := want(args, "PATH=VALUE"); err != nil {
		return err
	}
	s.blind = append(s.blind, args[0])
	return nil
}

// director is the program, behind a script where it is blind.
func (s *stage) director() (string, error) {
	program := filepath.Join(s.bin, "director")
	if len(s.blind) == 0 {
		return program, nil
	}
	mounts := ""
	for i, b := range s.blind {
		path, value, _ := strings.Cut(b, "=")
		fake := filepath.Join(s.dir, fmt.Sprintf("blind.%d", i))
		if err := os.WriteFile(fake, []byte(value+"\n"), 0o644); err != nil {
			return "", err
		}
		mounts += fmt.Sprintf("mount --bind %s /proc/sys/%s && ", fake, path)
	}
	script := filepath.Join(s.dir, "director.sh")
	text := fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c '%sexec %s \"$@\"' sh \"$@\"\n", mounts, program)
	return script, os.WriteFile(script, []byte(text), 0o755)
}

// prepare makes the world, with servers that are prepared and answer.
func (s *stage) prepare(args []string) error {
	if err := want(args, ""); err != nil {
		return err
	}
	data, err := os.ReadFile(s.file())
	if err != nil {
		return err
	}
	topo, err := parsed(s.file(), data)
	if err != nil {
		return err
	}
	plan, err := NewPlan(topo)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "nodes")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if s.world, err = NewWorld(topo, plan, dir); err != nil {
		return err
	}
	director, err := s.director()
	if err != nil {
		return err
	}
	s.programs = Programs{Director: director, Files: []string{s.file()}}
	return s.world.prepareServers(context.Background(), s.programs)
}

// up prepares the world and starts the directors.
func (s *stage) up(args []string) error {
	if err := s.prepare(args); err != nil {
		return err
	}
	for _, d := range s.world.Topo.Directors {
		if err := s.start([]string{d.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) close() {
	for _, talks := range s.talks {
		for _, t := range talks {
			t.conn.Close()
		}
	}
	for _, f := range s.flows {
		f.Close()
	}
	if s.listens {
		unix.Close(s.monitor)
	}
	if s.world != nil {
		s.world.Close()
	}
}

func (s *stage) troubles() string {
	if s.world == nil {
		return ""
	}
	out := "\n" + s.world.Troubles(Director)
	for _, d := range s.world.Topo.Directors {
		if table, err := s.output(d.ID, "ipvsadm", "-Sn"); err == nil {
			out += fmt.Sprintf("%s:\n%s", d.ID, table)
		}
	}
	return out
}

// node is the node with an ID, quotes or not.
func (s *stage) node(id string) (*Node, error) {
	if s.world == nil {
		return nil, errors.New("the world is not up")
	}
	n, ok := s.world.Plan.Node(id)
	if !ok {
		return nil, fmt.Errorf("the world has no node %s", id)
	}
	return n, nil
}

func (s *stage) start(args []string) error {
	if err := want(args, "NODE"); err != nil {
		return err
	}
	n, err := s.node(args[0])
	if err != nil {
		return err
	}
	p, err := s.world.Start(n.ID, s.programs.Director, append([]string{"run"}, s.programs.arguments(n.ID)...)...)
	s.running[n.ID] = p
	return err
}

func (s *stage) process(args []string) (*Process, error) {
	if err := want(args, "NODE"); err != nil {
		return nil, err
	}
	n, err := s.node(args[0])
	if err != nil {
		return nil, err
	}
	p, ok := s.running[n.ID]
	if !ok {
		return nil, fmt.Errorf("no director runs in %s", n.ID)
	}
	return p, nil
}

// quit ends a director; the kernel goes on.
func (s *stage) quit(args []string) error {
	p, err := s.process(args)
	if err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(s.patience()):
		return fmt.Errorf("the director in %s does not end", p.Node)
	}
}

// crash ends a director by SIGKILL.
func (s *stage) crash(args []string) error {
	p, err := s.process(args)
	if err != nil {
		return err
	}
	p.Kill()
	return nil
}

// reload has a director read its file again, and waits until that is in force.
func (s *stage) reload(args []string) error {
	p, err := s.process(args)
	if err != nil {
		return err
	}
	said := func() int {
		log, _ := os.ReadFile(p.Log)
		return strings.Count(string(log), "msg=reloaded") + strings.Count(string(log), "reload refused")
	}
	before := said()
	if err := p.cmd.Process.Signal(unix.SIGHUP); err != nil {
		return err
	}
	for end := time.Now().Add(s.patience()); said() == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("the director in %s does not read its file again", p.Node)
		}
	}
	// The next answer comes after the table.
	_, err = s.output(p.Node, "director", "status", "--json")
	return err
}

func (s *stage) one(args []string, f func(id string) error) error {
	if err := want(args, "NODE"); err != nil {
		return err
	}
	n, err := s.node(args[0])
	if err != nil {
		return err
	}
	return f(n.ID)
}

func (s *stage) halt(args []string) error   { return s.one(args, s.world.Halt) }
func (s *stage) resume(args []string) error { return s.one(args, s.world.Resume) }
func (s *stage) unplug(args []string) error { return s.one(args, s.world.Unplug) }
func (s *stage) plug(args []string) error   { return s.one(args, s.world.Plug) }

// An aim is where requests go from and to.
type aim struct {
	node  *Node
	proto topology.Proto
	to    netip.AddrPort
}

func (s *stage) aim(args []string) (aim, error) {
	if len(args) < 3 {
		return aim{}, errors.New("want: NODE PROTOCOL ADDRESS:PORT")
	}
	n, err := s.node(args[0])
	if err != nil {
		return aim{}, err
	}
	proto, err := topology.ParseProto(args[1])
	if err != nil {
		return aim{}, err
	}
	to, err := netip.ParseAddrPort(args[2])
	return aim{n, proto, to}, err
}

// serve has a node answer at an address, as real servers do.
func (s *stage) serve(args []string) error {
	a, err := s.aim(args)
	if err != nil {
		return err
	}
	var self topology.Addrs
	for _, p := range a.node.Ports[0].Addrs {
		self = append(self, p.Addr())
	}
	r := &realServer{node: a.node.ID, self: self, at: []endpoint{{proto: a.proto, addr: a.to}}}
	if before, ok := s.world.servers[r.node]; ok {
		r.at = append(r.at, before.at...)
		before.halt()
	}
	return s.world.answer(r)
}

// output runs a program in a node and returns what it says.
func (s *stage) output(node string, args ...string) (string, error) {
	n, err := s.node(node)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := s.world.start(n.ID, cmd, "")
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-time.After(s.patience()):
		p.Kill()
	}
	s.world.forget(p)
	if p.err != nil {
		return out.String(), failing("%s: %s: %w\n%s", node, strings.Join(args, " "), p.err, &out)
	}
	return out.String(), nil
}

// in runs a program in a node.
func (s *stage) in(args []string) error {
	if len(args) < 2 {
		return errors.New("want: in NODE PROGRAM ARGUMENT...")
	}
	_, err := s.output(args[0], args[1:]...)
	return err
}

// shows runs a program in a node, which must say something.
func (s *stage) shows(args []string) error {
	if len(args) < 3 {
		return errors.New("want: shows PATTERN NODE PROGRAM ARGUMENT...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	out, err := s.output(args[1], args[2:]...)
	if err == nil && !pattern.MatchString(out) {
		return failing("%s: %s: nothing like %s in\n%s", args[1], strings.Join(args[2:], " "), args[0], out)
	}
	return err
}

// speaker is number i of the addresses of a node that speaks for many; the zero
// address where the node has only its own.
func speaker(n *Node, i int, to netip.Addr) netip.Addr {
	u := users{prefixes: n.Anywhere}
	if from := u.from(to, i, 1); len(from) > 0 {
		return from[0]
	}
	return netip.Addr{}
}

// inside calls f on a thread in a node's namespace: what it opens stays there.
func (s *stage) inside(n *Node, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := netns.Set(s.world.places[n.ID].handle); err != nil {
			panic(err) // the namespace is held open
		}
		f()
	}()
	<-done
}

// requests makes n requests, of one client or of different ones, and holds the
// connections until all are answered.
func (s *stage) requests(a aim, n, only int, timeout time.Duration) []Reply {
	replies := make([]Reply, n)
	release := make(chan struct{})
	var answered, ended sync.WaitGroup
	slots := make(chan struct{}, 8)
	answered.Add(n)
	for i := range n {
		number := i
		if only >= 0 {
			number = only
		}
		slots <- struct{}{}
		ended.Go(func() {
			reply := &replies[i]
			reply.From = speaker(a.node, number, a.to.Addr())
			s.inside(a.node, func() {
				conn, err := Requests{Proto: a.proto, To: a.to, Timeout: timeout}.request(reply.From, reply)
				if err != nil {
					reply.Err = err.Error()
				}
				<-slots
				answered.Done()
				if conn != nil {
					<-release
					cut(conn)
				}
			})
		})
	}
	answered.Wait()
	close(release)
	ended.Wait()
	return replies
}

// cut ends a connection by a reset: the kernel forgets it after 10 seconds, and
// not after 2 minutes (tcp_timeouts in net/netfilter/ipvs/ip_vs_proto_tcp.c).
func cut(conn io.Closer) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	conn.Close()
}

// asked is how many requests decide who answers.
const asked = 24

// reach makes requests: all are answered, by each of the servers and by nobody
// else, and the servers see who asks. With -client N it is one client.
func (s *stage) reach(args []string) error {
	only := -1
	if len(args) > 1 && args[0] == "-client" {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		only, args = n, args[2:]
	}
	a, err := s.aim(args)
	if err != nil {
		return err
	}
	var expected []netip.Addr
	for _, text := range args[3:] {
		server, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		expected = append(expected, server)
	}
	n := asked
	if only >= 0 {
		n = 4
	}
	seen := map[netip.Addr]int{}
	for _, r := range s.requests(a, n, only, s.patience()/4) {
		switch {
		case r.Err != "":
			return failing("%s from %v: %s", a.to, r.From, r.Err)
		case r.From.IsValid() && r.Client.Addr() != r.From:
			return failing("%s from %v: %s saw %s", a.to, r.From, r.Server, r.Client)
		}
		seen[r.Server]++
	}
	for _, e := range expected {
		if seen[e] == 0 {
			return failing("%s: of %d requests none was answered by %s: %v", a.to, n, e, seen)
		}
	}
	if len(seen) != len(expected) {
		return failing("%s: answered by others too: %v", a.to, seen)
	}
	return nil
}

// lost makes requests that nobody answers.
func (s *stage) lost(args []string) error {
	a, err := s.aim(args)
	if err != nil {
		return err
	}
	for _, r := range s.requests(a, 4, -1, 2*time.Second) {
		if r.Err == "" {
			return failing("%s from %v is answered by %s", a.to, r.From, r.Server)
		}
	}
	return nil
}

// A talk is a connection with numbered requests and replies that goes on.
type talk struct {
	conn   net.Conn
	server netip.Addr
	client netip.AddrPort
	done   atomic.Int64 // exchanges
	failed chan struct{}
	err    error // valid after failed
}

// talk opens connections on which a number goes there and comes back all the time.
func (s *stage) talk(args []string) error {
	if len(args) != 4 {
		return errors.New("want: talk NAME NODE ADDRESS:PORT HOW-MANY")
	}
	a, err := s.aim([]string{args[1], "tcp", args[2]})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	for i := range n {
		t := &talk{failed: make(chan struct{})}
		var err error
		from := speaker(a.node, i, a.to.Addr())
		s.inside(a.node, func() {
			ctx, cancel := context.WithTimeout(context.Background(), s.patience())
			defer cancel()
			t.conn, err = dialFrom(ctx, "tcp", from, a.to)
		})
		if err != nil {
			return failing("%w", err)
		}
		s.talks[args[0]] = append(s.talks[args[0]], t)
		first := make(chan struct{})
		go t.run(s.patience(), first)
		select {
		case <-first:
		case <-t.failed:
			return failing("%w", t.err)
		}
	}
	return nil
}

func (t *talk) run(timeout time.Duration, first chan<- struct{}) {
	defer close(t.failed)
	in := bufio.NewReader(t.conn)
	for number := 1; ; number++ {
		t.err = t.exchange(in, number, timeout)
		if t.err != nil {
			t.err = fmt.Errorf("exchange %d with %s: %w", number, t.server, t.err)
			return
		}
		if t.done.Add(1) == 1 {
			close(first)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// exchange sends a number and has it back, from whom the first came.
func (t *talk) exchange(in *bufio.Reader, number int, timeout time.Duration) error {
	if err := t.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	path := fmt.Sprintf("/%d", number)
	if _, err := fmt.Fprintf(t.conn, "GET %s HTTP/1.1\r\nHost: talk\r\n\r\n", path); err != nil {
		return err
	}
	reply, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text := make([]byte, max(reply.ContentLength, 0))
	if _, err := io.ReadFull(reply.Body, text); err != nil {
		return err
	}
	server, client, err := parseAnswer(string(text))
	switch {
	case err != nil:
		return err
	case reply.Header.Get(askedHeader) != path:
		return fmt.Errorf("%s is answered to %s", reply.Header.Get(askedHeader), path)
	case number == 1:
		t.server, t.client = server, client
	case server != t.server || client != t.client:
		return fmt.Errorf("%s is told it is %s; the first reply told %s it is %s", server, client, t.server, t.client)
	}
	return nil
}

// further is how many more exchanges show that a connection lives.
const further = 5

// alive waits until every connection of a talk, or of one server's, has gone on
// without an error.
func (s *stage) alive(args []string) error {
	talks, err := s.those(args)
	if err != nil {
		return err
	}
	for _, t := range talks {
		from := t.done.Load()
		for end := time.Now().Add(s.patience()); t.done.Load() < from+further; time.Sleep(20 * time.Millisecond) {
			select {
			case <-t.failed:
				return failing("a connection has died: %w", t.err)
			default:
			}
			if time.Now().After(end) {
				return failing("a connection with %s hangs after %d exchanges", t.server, t.done.Load())
			}
		}
	}
	return nil
}

// hangup ends the connections of a talk, or one server's.
func (s *stage) hangup(args []string) error {
	talks, err := s.those(args)
	for _, t := range talks {
		cut(t.conn)
		<-t.failed
	}
	s.talks[args[0]] = slices.DeleteFunc(s.talks[args[0]], func(t *talk) bool { return slices.Contains(talks, t) })
	return err
}

// those are the connections of a talk, those with one server when it is named.
func (s *stage) those(args []string) ([]*talk, error) {
	if len(args) == 0 || len(args) > 2 {
		return nil, errors.New("want: NAME [SERVER]")
	}
	var out []*talk
	for _, t := range s.talks[args[0]] {
		if len(args) == 1 || t.server.String() == args[1] {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no connection is %s", strings.Join(args, " with "))
	}
	return out, nil
}

// flow opens a UDP flow, and says which server it must be with.
func (s *stage) flow(args []string) error {
	if len(args) != 4 {
		return errors.New("want: flow NAME NODE ADDRESS:PORT SERVER")
	}
	a, err := s.aim([]string{args[1], "udp", args[2]})
	if err != nil {
		return err
	}
	var f net.Conn
	s.inside(a.node, func() {
		f, err = dialFrom(context.Background(), "udp", speaker(a.node, 0, a.to.Addr()), a.to)
	})
	if err != nil {
		return err
	}
	s.flows[args[0]] = f
	return s.moves([]string{args[0], args[3]})
}

// moves sends one datagram of a flow, which one server must answer.
func (s *stage) moves(args []string) error {
	if err := want(args, "NAME SERVER"); err != nil {
		return err
	}
	f, ok := s.flows[args[0]]
	if !ok {
		return fmt.Errorf("there is no flow %s", args[0])
	}
	if err := f.SetDeadline(time.Now().Add(s.patience() / 2)); err != nil {
		return err
	}
	if _, err := f.Write([]byte("who\n")); err != nil {
		return failing("%w", err)
	}
	text := make([]byte, 2048)
	n, err := f.Read(text)
	if err != nil {
		return failing("no answer to one datagram: %w", err)
	}
	server, _, err := parseAnswer(string(text[:n]))
	if err != nil {
		return err
	}
	if server.String() != args[1] {
		return failing("the datagram is answered by %s, not by %s", server, args[1])
	}
	return nil
}

// listen counts from now on what is written by netlink in a node.
func (s *stage) listen(args []string) error {
	if err := want(args, "NODE"); err != nil {
		return err
	}
	n, err := s.node(args[0])
	if err != nil {
		return err
	}
	device := &netlink.GenericLink{LinkAttrs: linkAttrs("monitor"), LinkType: "nlmon"}
	if err := s.world.places[n.ID].add(device); err != nil {
		return fmt.Errorf("a device that shows netlink: %w", err)
	}
	return s.world.in(n.ID, func() error {
		link, err := net.InterfaceByName("monitor")
		if err != nil {
			return err
		}
		if s.monitor, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, allPackets); err != nil {
			return err
		}
		s.listens = true
		return errors.Join(
			unix.SetsockoptInt(s.monitor, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20),
			unix.Bind(s.monitor, &unix.SockaddrLinklayer{Protocol: allPackets, Ifindex: link.Index}))
	})
}

// wrote says how many requests that change something there were.
func (s *stage) wrote(args []string) error {
	if err := want(args, "HOW-MANY"); err != nil {
		return err
	}
	expected, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	all, writes := 0, []string{}
	buffer := make([]byte, 1<<20)
	for {
		n, from, err := unix.Recvfrom(s.monitor, buffer, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			return err
		}
		protocol := int(swap(from.(*unix.SockaddrLinklayer).Protocol))
		all += n
		writes = append(writes, changes(protocol, buffer[:n])...)
	}
	switch {
	case all == 0:
		return errors.New("nothing at all was seen, not even reading")
	case len(writes) != expected:
		return failing("%d requests change something, want %d: %v", len(writes), expected, writes)
	}
	return nil
}

func swap(x uint16) uint16 { return x<<8 | x>>8 }

// changes are the requests among netlink messages that change something: of
// routing all but RTM_GET..., of IPVS all but IPVS_CMD_GET... (linux/ip_vs.h).
func changes(protocol int, packet []byte) []string {
	var out []string
	for len(packet) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(packet))
		kind, flags := binary.NativeEndian.Uint16(packet[4:]), binary.NativeEndian.Uint16(packet[6:])
		if size < unix.NLMSG_HDRLEN || size > len(packet) {
			break
		}
		body := packet[unix.NLMSG_HDRLEN:size]
		switch {
		case flags&unix.NLM_F_REQUEST == 0 || kind < unix.NLMSG_MIN_TYPE: // the kernel's word
		case protocol == unix.NETLINK_ROUTE && kind&3 != 2:
			out = append(out, fmt.Sprintf("route type %d", kind))
		case protocol == unix.NETLINK_GENERIC && kind != unix.GENL_ID_CTRL && len(body) > 0:
			const getService, getDest, getDaemon, getConfig, getInfo = 4, 8, 11, 13, 15
			if !slices.Contains([]byte{getService, getDest, getDaemon, getConfig, getInfo}, body[0]) {
				out = append(out, fmt.Sprintf("ipvs command %d", body[0]))
			}
		case protocol == unix.NETLINK_NETFILTER:
			out = append(out, fmt.Sprintf("netfilter type %d", kind))
		}
		packet = packet[min((size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(packet)):]
	}
	return out
}
