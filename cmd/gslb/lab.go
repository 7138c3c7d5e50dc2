package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/lab"
	"gslb/lab/uml"
	"gslb/topology"
)

func labCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Turn a topology into network namespaces and try it",
		Long: `Turn a topology into network namespaces on this machine: every node and segment
of the file, a router per region, WAN links with the delay between the regions,
users in every region, real servers that say who they are. The programs that run
there are the real ones, with the real file.

Where this machine's kernel has no IPVS, or the user is not root, the lab carries
itself into a kernel of its own (Debian's package user-mode-linux, fetched into a
cache when it is missing). Nothing of a lab is left when it is down.`,
		Example: `  gslb lab test shop.hcl
  gslb lab up shop.hcl
  gslb lab exec shop.hcl client.eu -- dig @192.0.2.53 www.shop.example
  gslb lab exec shop.hcl 'director.front["fra"]' -- ipvsadm -Ln
  gslb lab down shop.hcl`,
	}
	c.AddCommand(labTestCmd(), labDemoCmd(), labUpCmd(), labExecCmd(), labDownCmd(), labKeepCmd(), labUsersCmd(), labEnterCmd())
	return c
}

// labFlags are those of every command that makes a lab.
type labFlags struct {
	bin string
	in  cli.Inputs
}

func (f *labFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.bin, "bin", "", "`folder` with the director to try; else the one beside gslb, else on PATH")
	f.in.Flags(c)
}

// A setup is what a lab is made from.
type setup struct {
	topo     *topology.Topology
	plan     *lab.Plan
	programs lab.Programs
}

func (f *labFlags) setup(path string, stderr io.Writer) (setup, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return setup{}, err
	}
	for i, name := range f.in.Files {
		if f.in.Files[i], err = filepath.Abs(name); err != nil {
			return setup{}, err
		}
	}
	topo, err := f.in.Topology([]string{path}, stderr)
	if err != nil {
		return setup{}, err
	}
	plan, err := lab.NewPlan(topo)
	if err != nil {
		return setup{}, err
	}
	gslb, director, err := lab.FindPrograms(f.bin)
	if err != nil {
		return setup{}, err
	}
	return setup{topo, plan, lab.Programs{Gslb: gslb, Director: director, Files: []string{path}, Vars: f.in.Vars, VarFiles: f.in.Files}}, nil
}

// world brings the lab up. Its folder goes with it.
func (s setup) world(ctx context.Context, say func(string, ...any)) (*lab.World, func(), error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "gslb-lab-")
	if err != nil {
		return nil, nil, err
	}
	w, err := lab.NewWorld(s.topo, s.plan, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, nil, err
	}
	end := func() {
		w.Close()
		os.RemoveAll(dir)
	}
	if err := w.Up(ctx, s.programs); err != nil {
		end()
		return nil, nil, err
	}
	say("lab: %s in %s up after %.1f s\n", count(len(s.plan.Nodes), "node"), count(len(s.topo.Regions), "region"), time.Since(begin).Seconds())
	return w, end, nil
}

// carried says to this program that it is in a kernel of the lab's own already.
const carried = "GSLB_LAB_CARRIED"

// carry runs this program with the same arguments in user-mode Linux. Done is
// false when the lab can be made right here instead.
func (s setup) carry(ctx context.Context, args []string, stdout, stderr io.Writer, stream io.ReadWriteCloser) (done bool, err error) {
	why := lab.Possible()
	if why == nil {
		return false, nil
	}
	if os.Getenv(carried) != "" {
		return false, fmt.Errorf("make a lab in its own kernel: %w", why)
	}
	kit, err := uml.Ensure(ctx, func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) })
	if err != nil {
		return true, fmt.Errorf("a lab needs a kernel of its own here (%w): %w", why, err)
	}
	begin := time.Now()
	env := append(os.Environ(), carried+"=1")
	if cli.Colour(stdout) {
		env = append(env, colourVar+"=1")
	}
	fmt.Fprintf(stderr, "lab: in a kernel of its own (user-mode Linux), for here %v\n", why)
	exit, err := kit.Run(ctx, uml.Command{
		Path: s.programs.Gslb, Args: args, Env: env,
		Stdout: stdout, Stderr: stderr, Stream: stream, Memory: memory(len(s.plan.Nodes)), Modules: labModules,
	})
	switch {
	case ctx.Err() != nil:
		return true, errors.New("interrupted; the lab is gone")
	case err != nil:
		return true, fmt.Errorf("after %.1f s: %w", time.Since(begin).Seconds(), err)
	case exit != 0:
		return true, cli.Status(exit)
	}
	return true, nil
}

// labModules are the kernel modules that nearly every lab uses.
var labModules = []string{
	"ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sed", "ip_vs_nq", "ip_vs_sh", "ip_vs_mh",
	"ipip", "ip6_tunnel", "veth", "bridge", "sch_netem",
}

// memory in MB for a lab of so many nodes. The kernel takes it as it is used.
func memory(nodes int) int { return 768 + 24*nodes }

// arguments are those that bring the carried program to the same command.
func (f *labFlags) arguments(command string, s setup, more ...string) []string {
	args := []string{"lab", command, s.programs.Files[0], "--bin", filepath.Dir(s.programs.Director)}
	for _, v := range f.in.Vars {
		args = append(args, "--var", v)
	}
	for _, name := range f.in.Files {
		args = append(args, "--var-file", name)
	}
	return append(args, more...)
}

// examine makes a lab of the file and lets look examine it.
func (f *labFlags) examine(c *cobra.Command, command, path string, asJSON bool, look func(context.Context, *lab.World, *lab.Report) error) error {
	ctx, stdout, stderr := c.Context(), c.OutOrStdout(), c.ErrOrStderr()
	s, err := f.setup(path, stderr)
	if err != nil {
		return err
	}
	colour := cli.Colour(stdout) || os.Getenv(colourVar) != ""
	var more []string
	if asJSON {
		more = []string{"--json"}
	}
	if done, err := s.carry(ctx, f.arguments(command, s, more...), stdout, stderr, nil); done || err != nil {
		return err
	}
	w, end, err := s.world(ctx, func(format string, args ...any) { fmt.Fprintf(stderr, format, args...) })
	if err != nil {
		return err
	}
	defer end()
	report := lab.NewReport(command, stdout, asJSON, colour)
	if err := look(ctx, w, report); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted; the lab is gone")
		}
		return err
	}
	if report.Passed() < len(report.Checks) && !asJSON {
		fmt.Fprintf(stdout, "\nWhat the programs said last:\n%s\n", w.Troubles(lab.Director, lab.Nameserver))
		report.Failures()
	}
	if !report.End() {
		return cli.ErrSaid
	}
	return nil
}

// colourVar says to the carried program, whose stdout is no terminal, that the
// one behind it is.
const colourVar = "GSLB_LAB_COLOUR"

func labTestCmd() *cobra.Command {
	var f labFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "test PATH",
		Short: "Check every domain and virtual service of a topology from outside",
		Long: `Bring the topology up as a lab and look at it as its users do, by UDP and TCP,
from every region:

  every domain gives all healthy answers and none else;
  every virtual service reaches every real server, respects the weights, shows
  the client's address; TUN and DR reply past the director (a capture there sees
  no packet from the VIP);
  one destination of each service dies: traffic is clean again, and whole again
  when it is back.

One line for each check: what was seen, and the bound. Exit status 1 if one failed.`,
		Example: "  gslb lab test examples/direct.hcl\n  gslb lab test shop.hcl --bin ./build --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.examine(c, "test", args[0], asJSON, func(ctx context.Context, w *lab.World, r *lab.Report) error {
				r.Title = "lab"
				return w.Test(ctx, r)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return c
}

func labEnterCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "enter RESOLV -- COMMAND...",
		Short:  "Run a program with a resolv.conf of its own (started by the lab)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			err := lab.Enter(args[0], args[1:])
			var not lab.NotRun
			if errors.As(err, &not) {
				fmt.Fprintln(c.ErrOrStderr(), "gslb:", not)
				return cli.Status(not.Exit())
			}
			return err
		},
	}
}

func labUsersCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "users",
		Short:  "Be the users of a region (started by the lab)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return lab.ServeUsers(os.Stdin, os.Stdout) },
	}
}
