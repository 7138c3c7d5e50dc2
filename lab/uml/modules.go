package uml

import (
	"fmt"
	"gslb/lab/guest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// standard is what every guest has from the start: what shows in /proc by being loaded. All other modules come when they are asked for,
// as on any machine, for a tenth of a second each (see modprobe); a world that needs many names them in [Command.Modules], for some
// milliseconds each. Two schedulers do something in every network namespace, and the kernel waits for ever if it has to load one for a
// service while it takes a namespace with IPVS down: it loads with IPVS locked (ip_vs_add_service in net/netfilter/ipvs/ip_vs_ctl.c),
// a load waits for the namespace's end (register_pernet_subsys), and that for IPVS (ip_vs_flush). So these are there before.
var standard = []string{"ip_vs", "ip_vs_lblc", "ip_vs_lblcr"}

// modprobePath is the name under which the kernel starts a guest's init to load a module it lacks: a scheduler of IPVS, a kind of
// network device, a queueing discipline.
const modprobePath = "/run/uml-modprobe"

// modprobe loads modules by their names or by the aliases the kernel asks by.
func modprobe(args []string) error {
	var release unix.Utsname
	if err := unix.Uname(&release); err != nil {
		return err
	}
	folder := filepath.Join("/lib/modules", unix.ByteSliceToString(release.Release[:]))
	dep, err := os.ReadFile(filepath.Join(folder, "modules.dep"))
	if err != nil {
		return err
	}
	alias, err := os.ReadFile(filepath.Join(folder, "modules.alias"))
	if err != nil {
		return err
	}
	var names []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			names = append(names, modulesFor(string(alias), a)...)
		}
	}
	files, err := loadOrder(string(dep), names)
	if err != nil {
		return err
	}
	// The kernel would find out by itself, after it has read the file: it takes longer than to load a small module.
	missing := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return initState(f) != "" })
	if err := guest.LoadModules(folder, missing); err != nil {
		return err
	}
	// What another one is loading at the same time is of no use before it is done.
	for _, f := range files {
		for end := time.Now().Add(loadTime); initState(f) == "coming" && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// loadTime bounds the wait for a module that another one is loading.
const loadTime = 10 * time.Second

// initState is "live" when a module is loaded, "coming" while it is being loaded, and "" when it is not there.
func initState(file string) string {
	state, _ := os.ReadFile(filepath.Join("/sys/module", guest.ModuleName(file), "initstate"))
	return strings.TrimSpace(string(state))
}

// modulesFor reads the text of a modules.alias and gives the modules for a name: those it is an alias of, or the one it names. Patterns
// are left alone; they are for buses that a guest does not have.
func modulesFor(alias, name string) []string {
	var names []string
	for line := range strings.Lines(alias) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "alias" && guest.ModuleName(f[1]) == guest.ModuleName(name) {
			names = append(names, f[2])
		}
	}
	if names == nil {
		return []string{name}
	}
	return names
}

// loadOrder reads the text of a modules.dep and gives the files to load, each once and after those it needs. In modules.dep a line
// names a module and, after the colon, everything it needs, the deepest last.
func loadOrder(dep string, names []string) ([]string, error) {
	known := map[string][]string{} // a module's file and those it needs, in the order to load
	for line := range strings.Lines(dep) {
		file, needs, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			files := append([]string{file}, strings.Fields(needs)...)
			slices.Reverse(files)
			known[guest.ModuleName(file)] = files
		}
	}
	var order, unknown []string
	for _, name := range names {
		files, ok := known[guest.ModuleName(name)]
		if !ok {
			unknown = append(unknown, name)
		}
		for _, f := range files {
			if !slices.Contains(order, f) {
				order = append(order, f)
			}
		}
	}
	if unknown != nil {
		return nil, fmt.Errorf("the guest's kernel has no module %s", strings.Join(unknown, ", "))
	}
	return order, nil
}
