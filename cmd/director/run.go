package main

import (
	"cmp"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/internal/cli"
	"gslb/topology"
)

func runCmd(open opener) *cobra.Command {
	var node, dir, keep string
	var in cli.Inputs
	c := &cobra.Command{
		Use:   "run FILE... --node ADDR",
		Short: "Forward as the file says, and keep forwarding so",
		Long: `Forward the virtual services in which the director at ADDR has a tier: give this
host the VIPs, tunnels and kernel parameters it needs, probe the destinations,
keep the kernel's IPVS table as it should be.

A destination gets no traffic before its first check. What a director that ran
before has left in the kernel goes on working meanwhile and is changed in place.

Operators speak to it by 'director status', drain, undrain, maint and enable.

SIGHUP reads the file again; a bad one is refused and the old one stays in force.
SIGTERM ends the program and leaves the kernel forwarding; to take that out as
well see 'director stop --flush'. The VIPs of failover pairs go: another member
takes over at once. After SIGUSR2 they stay, for a director that is started
within three advertisements; later than that another member has taken over.`,
		Example: `  director run shop.hcl --node 'director.front["fra"]'`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			if node == "" {
				return cli.Usagef("--node is missing: the address of this host's director in the file")
			}
			// On one processor Go takes it away from who is in the kernel for more than
			// 20 us, for nothing when nobody else has work: each batch of a large table
			// costs several switches of threads then. With a spare one it waits 10 ms.
			runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 2))
			files := in.Reader(paths)
			read := func() (*topology.Topology, *topology.Director, error) {
				topo, err := files.Topology(c.ErrOrStderr())
				if err != nil {
					return nil, nil, err
				}
				if self, ok := topo.Director(node); ok {
					return topo, self, nil
				}
				var have []string
				for _, d := range topo.Directors {
					have = append(have, d.ID)
				}
				return nil, nil, cli.NoNode(node, "director", have)
			}
			topo, self, err := read()
			if err != nil {
				return err
			}
			kernel, err := open()
			if err != nil {
				return err
			}
			defer kernel.Close()
			held, err := lock(dir)
			if err != nil {
				return err
			}
			defer held.Close()
			before, err := readState(dir)
			if err != nil {
				return err
			}
			before.Node, before.PID = node, os.Getpid()
			if err := before.write(dir); err != nil {
				return err
			}

			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, unix.SIGHUP)
			defer signal.Stop(hangup)
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			desk, err := openDesk(log, cmp.Or(keep, dir))
			if err != nil {
				return err
			}
			defer desk.close()
			if err := desk.listen(filepath.Join(dir, socketName)); err != nil {
				return err
			}
			leave := make(chan os.Signal, 1)
			signal.Notify(leave, unix.SIGUSR2)
			defer signal.Stop(leave)
			host := newHostKeeper(kernel, hostPath(dir), log)
			d := &daemon{
				host: host, pairs: openPairs(dir, log, host), sync: &syncer{}, handOver: leave,
				kernel: kernel, keeper: &dataplane.Keeper{Plane: kernel}, desk: desk, dir: dir, state: before, read: read, reload: hangup, log: log,
			}
			if err := d.adopt(topo, self); err != nil {
				return err
			}
			defer d.reports.close()
			return d.run(c.Context())
		},
	}
	c.Flags().StringVar(&node, "node", "", "this host's director: its `address` in the file")
	c.Flags().StringVar(&dir, "state", stateDir(), "`folder` for what the next director and 'director stop' need to know")
	kept, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5)
	c.Flags().StringVar(&keep, "keep", kept, "`folder` for the words of operators, which survive a reboot there (default $STATE_DIRECTORY, else that of --state)")
	in.Flags(c)
	return c
}
