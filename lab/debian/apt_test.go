package debian

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestToInstall(t *testing.T) {
	for _, test := range []struct {
		name, plan string
		want       []string
	}{
		{"nothing lacks", "Reading package lists...\ncurl is already the newest version (7.88.1-10+deb12u15).\n", nil},
		{"a package, what it needs and what it needs newer", `NOTE: This is only a simulation!
Inst libnl-3-200 (3.7.0-0.2+b1 Debian:12.15/oldstable [amd64])
Inst libcurl4 [7.88.1-10+deb12u14] (7.88.1-10+deb12u15 Debian:12.15/oldstable [amd64]) []
Inst ipvsadm (1:1.31-1+b1 Debian:12.15/oldstable [amd64])
Conf libnl-3-200 (3.7.0-0.2+b1 Debian:12.15/oldstable [amd64])
Conf ipvsadm (1:1.31-1+b1 Debian:12.15/oldstable [amd64])
`, []string{"libnl-3-200", "libcurl4", "ipvsadm"}},
		{"what would be removed is not fetched", "Remv foo [1]\nInst bar (2 Debian [amd64])\n", []string{"bar"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, toInstall(test.plan)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	got := sizes(`'http://deb.example.org/pool/u/user-mode-linux_6.1um4%2bb13_amd64.deb' user-mode-linux_6.1um4+b13_amd64.deb 41388548 SHA256:00
'http://deb.example.org/pool/i/ipvsadm_1.31-1%2bb1_amd64.deb' ipvsadm_1%3a1.31-1+b1_amd64.deb 41584 SHA256:00
Reading package lists...
`)
	want := map[string]int64{"user-mode-linux": 41388548, "ipvsadm": 41584}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestComplaint(t *testing.T) {
	for _, test := range []struct{ name, stderr, want string }{
		{"warnings are left out where there are errors", "W: slow\nE: Unable to locate package foo\nE: No packages found\n",
			"Unable to locate package foo; No packages found"},
		{"without an error all is told", "W: slow\n", "W: slow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, complaint(test.stderr)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
