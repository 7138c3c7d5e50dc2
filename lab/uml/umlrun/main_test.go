package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProfiles(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"what go test always asks for", []string{"-test.testlogfile=/tmp/go-build1/b001/testlog.txt", "-test.timeout=10m0s"}, []string{"/tmp/go-build1/b001"}},
		{"profiles", []string{"-test.coverprofile=/tmp/go-build1/b001/_cover_.out", "-test.gocoverdir=/tmp/go-build1/b001/gocoverdir", "-test.cpuprofile=cpu.out", "-test.outputdir=/home/user"},
			[]string{"/tmp/go-build1/b001", "/tmp/go-build1/b001/gocoverdir", "/home/user"}},
		{"other programs' arguments", []string{"-o=/etc/passwd", "/etc"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, profiles(test.args)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
