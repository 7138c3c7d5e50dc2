package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The screen in the manual is that of the command. UPDATE=1 writes it anew.
func TestExplainInTheManual(t *testing.T) {
	t.Chdir("../..")
	const path, fence = "doc/manual/explain.md", "```"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), fence+"console\n$ gslb ")
	if !ok {
		t.Fatalf("%s shows no command", path)
	}
	command, rest, _ := strings.Cut(rest, "\n")
	want, after, _ := strings.Cut(rest, fence)
	var out, errs bytes.Buffer
	if code := run(strings.Fields(command), &out, &errs); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &errs)
	}
	if os.Getenv("UPDATE") != "" {
		text := before + fence + "console\n$ gslb " + command + "\n" + out.String() + fence + after
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("%s: gslb %s (-want +got)\n%s", path, command, diff)
	}
}
