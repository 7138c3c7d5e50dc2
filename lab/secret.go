package lab

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gslb/internal/secret"
	"gslb/topology"
)

// secrets makes, below dir, a new secret for every place of one that the
// topology names, and returns the environment in which the programs find them.
// Those of the real nodes are no business of a lab, and need not be here.
func secrets(topo *topology.Topology, dir string) (environment []string, err error) {
	environment = []string{secret.RootVar + "=" + dir}
	var places []string
	if c := topo.Cluster; c != nil {
		places = append(places, c.Key)
	}
	for _, f := range topo.Failovers {
		if f.Key != "" && !slices.Contains(places, f.Key) {
			places = append(places, f.Key)
		}
	}
	for _, place := range places {
		kind, where, _ := strings.Cut(place, ":")
		text := rand.Text() + rand.Text() // as long as any of them has to be
		if kind == "env" {
			environment = append(environment, where+"="+text)
			continue
		}
		path := filepath.Join(dir, where)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("secret %s of the lab: %w", place, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("secret %s of the lab: %w", place, err)
		}
	}
	return environment, nil
}
