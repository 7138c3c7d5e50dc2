package uml

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModulesFor(t *testing.T) {
	const alias = `# Aliases extracted from modules themselves.
alias rtnl-link-veth veth
alias nf-logger-2-0 nf_log_syslog
alias ipt_MARK xt_mark
alias two-things one
alias two-things other
alias hid:b0003g*v* usbhid
`
	for _, test := range []struct {
		name, ask string
		want      []string
	}{
		{"an alias as the kernel asks for it", "rtnl-link-veth", []string{"veth"}},
		{"capital letters count", "ipt_mark", []string{"ipt_mark"}},
		{"all that have the alias", "two_things", []string{"one", "other"}},
		{"a module by its name", "ip_vs_sh", []string{"ip_vs_sh"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, modulesFor(alias, test.ask)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
