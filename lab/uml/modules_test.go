package uml

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dep = `kernel/lib/crc-ccitt.ko:
kernel/net/ipv6/ipv6.ko: kernel/lib/crc-ccitt.ko
kernel/net/ipv4/ipip.ko:
kernel/net/netfilter/nf_conntrack.ko: kernel/net/ipv6/ipv6.ko kernel/lib/crc-ccitt.ko
kernel/net/netfilter/ipvs/ip_vs.ko: kernel/net/netfilter/nf_conntrack.ko kernel/net/ipv6/ipv6.ko kernel/lib/crc-ccitt.ko
kernel/net/netfilter/ipvs/ip_vs_rr.ko: kernel/net/netfilter/ipvs/ip_vs.ko kernel/net/netfilter/nf_conntrack.ko kernel/net/ipv6/ipv6.ko kernel/lib/crc-ccitt.ko
`

func TestLoadOrder(t *testing.T) {
	for _, test := range []struct {
		name  string
		names []string
		want  []string
	}{
		{"a module alone", []string{"ipip"}, []string{"kernel/net/ipv4/ipip.ko"}},
		{"the deepest need comes first", []string{"ip_vs"}, []string{
			"kernel/lib/crc-ccitt.ko", "kernel/net/ipv6/ipv6.ko", "kernel/net/netfilter/nf_conntrack.ko", "kernel/net/netfilter/ipvs/ip_vs.ko"}},
		{"each is loaded once", []string{"ipv6", "nf_conntrack", "ipv6"}, []string{
			"kernel/lib/crc-ccitt.ko", "kernel/net/ipv6/ipv6.ko", "kernel/net/netfilter/nf_conntrack.ko"}},
		{"a dash is an underscore", []string{"crc_ccitt"}, []string{"kernel/lib/crc-ccitt.ko"}},
		{"nothing is nothing", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := loadOrder(dep, test.names)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLoadOrderNamesEveryModuleThatIsNotThere(t *testing.T) {
	_, err := loadOrder(dep, []string{"ip_vs_twos", "ipip", "zfs"})
	const want = "the guest's kernel has no module ip_vs_twos, zfs"
	if err == nil || err.Error() != want {
		t.Errorf("want error %q, got %v", want, err)
	}
}

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
