package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNodesAreCompleted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.hcl")
	text := `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/26"
}
director "front" {
  for_each = { a = "192.0.2.11", b = "192.0.2.12" }
  network  = network.edge
  address  = each.value
}
farm "web" {
  network = network.edge
  server "x" { address = "192.0.2.30" }
}
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ args, want string }{
		"a director runs as a director":       {"run --node", "director.front[a] director.front[b]"},
		"a server or director is prepared":    {"realserver apply --node", "director.front[a] director.front[b] farm.web.server.x"},
		"and its configuration printed":       {"realserver print --node", "director.front[a] director.front[b] farm.web.server.x"},
		"and verified":                        {"realserver verify --node", "director.front[a] director.front[b] farm.web.server.x"},
		"the forms of configuration":          {"realserver print --as", "shell networkd ifupdown netplan"},
		"nothing is offered for what is free": {"list --json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			args := append([]string{"__completeNoDesc"}, strings.Fields(c.args)...)
			flag := args[len(args)-1]
			args = append(args[:len(args)-1], file, flag, "")
			if status := run(args, &out, &errs); status != 0 {
				t.Fatalf("status %d: %s", status, &errs)
			}
			words := strings.Fields(out.String())
			if got := strings.Join(words[:len(words)-1], " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
