package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gslb/topology"
)

// Programs are what runs in a lab: the real executables with the real files.
type Programs struct {
	Gslb, Director string   // paths
	Files          []string // of the topology
	Vars           []string // NAME=VALUE
	VarFiles       []string // paths
}

// arguments are those that every program gets: the files and the variables.
func (p Programs) arguments(node string) []string {
	args := append([]string(nil), p.Files...)
	for _, v := range p.Vars {
		args = append(args, "--var", v)
	}
	for _, name := range p.VarFiles {
		args = append(args, "--var-file", name)
	}
	return append(args, "--node", node)
}

// prepareTime bounds what prepares one real server, on a machine that does much else.
const prepareTime = time.Minute

// Up prepares and starts everything in the world: real servers, directors,
// nameservers, users.
func (w *World) Up(ctx context.Context, p Programs) error {
	w.gslb = p.Gslb
	if err := w.prepareServers(ctx, p); err != nil {
		return err
	}
	for _, e := range elsewhere(w.Topo) {
		if err := w.answer(&realServer{node: e.id, self: e.addrs, at: e.at}); err != nil {
			return err
		}
	}
	for _, d := range w.Topo.Directors {
		if err := w.startDirector(p, d.ID); err != nil {
			return err
		}
	}
	for _, ns := range w.Topo.Nameservers {
		if _, err := w.Start(ns.ID, p.Gslb, append([]string{"serve"}, p.arguments(ns.ID)...)...); err != nil {
			return err
		}
	}
	for _, n := range w.Plan.Nodes {
		if n.Kind != Client {
			continue
		}
		u, err := w.startUsers(p.Gslb, n)
		if err != nil {
			return err
		}
		w.users[n.Region] = u
	}
	return nil
}

func (w *World) startDirector(p Programs, id string) error {
	_, err := w.Start(id, p.Director, append([]string{"run"}, p.arguments(id)...)...)
	return err
}

// prepareServers runs `director realserver apply` in each real server and lets
// it answer. A few at a time: each takes some milliseconds of processor.
func (w *World) prepareServers(ctx context.Context, p Programs) error {
	var servers []*topology.Server
	for _, f := range w.Topo.Farms {
		servers = append(servers, f.Servers...)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, 4)
	var wait sync.WaitGroup
	for _, s := range servers {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := w.prepare(ctx, p, s); err != nil {
				cancel(err) // the first error; the rest would say the same
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

func (w *World) prepare(ctx context.Context, p Programs, s *topology.Server) error {
	apply, err := w.Start(s.ID, p.Director, append([]string{"realserver", "apply"}, p.arguments(s.ID)...)...)
	if err != nil {
		return err
	}
	select {
	case <-apply.done:
	case <-time.After(prepareTime):
		apply.Kill()
		return fmt.Errorf("%s: director realserver apply has not ended within %v", s.ID, prepareTime)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := apply.Wait(); err != nil {
		return fmt.Errorf("%s: director realserver apply: %w\n%s", s.ID, err, tail(apply.Log))
	}
	return w.Serve(s)
}

// logTail is how much of a log is shown when something is wrong.
const logTail = 1500

// tail is the end of a log, indented.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	text := strings.TrimSpace(string(data))
	if len(text) > logTail {
		text = text[len(text)-logTail:]
		text = text[strings.IndexByte(text, '\n')+1:]
	}
	if text == "" {
		return "  (it said nothing)"
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}

// Troubles are the ends of the logs of the programs of the given kinds of
// node, for somebody who looks for the cause of a failure.
func (w *World) Troubles(kinds ...Kind) string {
	var b strings.Builder
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.processes {
		n, _ := w.Plan.Node(p.Node)
		for _, k := range kinds {
			if n.Kind == k && p.Log != "" {
				fmt.Fprintf(&b, "%s:\n%s\n", p.Node, tail(p.Log))
			}
		}
	}
	return b.String()
}

// FindPrograms finds the executables: this one is gslb, and director is in
// folder bin when one is given, else beside gslb, else on PATH.
func FindPrograms(bin string) (gslb, director string, err error) {
	if gslb, err = os.Executable(); err != nil {
		return "", "", err
	}
	if bin != "" {
		if bin, err = filepath.Abs(bin); err != nil {
			return "", "", err
		}
		director = filepath.Join(bin, "director")
		if !executable(director) {
			return "", "", fmt.Errorf("there is no executable %s", director)
		}
		return gslb, director, nil
	}
	director = filepath.Join(filepath.Dir(gslb), "director")
	if executable(director) {
		return gslb, director, nil
	}
	if director, err = exec.LookPath("director"); err != nil {
		return "", "", fmt.Errorf("there is no director beside %s or on PATH: name its folder with --bin", gslb)
	}
	director, err = filepath.Abs(director)
	return gslb, director, err
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
