package dnsserver

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTell(t *testing.T) {
	table := table(t)
	for name, c := range map[string]struct{ name, typ, want string }{
		"a static record":                       {"mail.example.org.", "A", "NOERROR mail.example.org. in example.org.: mail.example.org. 3600 A 192.0.2.25"},
		"a steered name":                        {"all.g.example.org.", "A", "NOERROR all.g.example.org. in g.example.org. by domain.all.g.example.org.: all.g.example.org. 20 A 192.0.2.101; all.g.example.org. 20 A 192.0.2.102"},
		"an alias of a steered name":            {"steered.example.org.", "AAAA", "NOERROR www.g.example.org. in g.example.org. by domain.www.g.example.org.: steered.example.org. 600 CNAME www.g.example.org.; www.g.example.org. 20 AAAA 2001:db8::101"},
		"a steered name by its wildcard":        {"x.any.g.example.org.", "A", "NOERROR x.any.g.example.org. in g.example.org. by domain.*.any.g.example.org.: x.any.g.example.org. 20 A 192.0.2.101"},
		"a type that is not steered":            {"www.g.example.org.", "TXT", "NOERROR www.g.example.org. in g.example.org.: www.g.example.org. 60 TXT \"at a steered name\""},
		"a name that is not there":              {"nothing.example.org.", "A", "NXDOMAIN nothing.example.org. in example.org.:"},
		"an alias that leads out of the file":   {"outside.example.org.", "A", "NOERROR www.example.com. in nowhere: outside.example.org. 600 CNAME www.example.com."},
		"a name of no zone":                     {"example.com.", "A", "REFUSED  in nowhere: (20 Not Authoritative: the name lies in no zone of this server)"},
		"nobody is up and the policy is closed": {"closed.g.example.org.", "A", "NOERROR closed.g.example.org. in g.example.org. by domain.closed.g.example.org.: (22 No Reachable Authority: no answer of the name is up)"},
		"a domain that has nothing":             {"four.g.example.org.", "AAAA", "NOERROR four.g.example.org. in g.example.org. by domain.four.g.example.org.:"},
	} {
		t.Run(name, func(t *testing.T) {
			told, err := table.Tell(netip.Addr{}, c.name, c.typ, 0)
			if err != nil {
				t.Fatal(err)
			}
			zone := told.Zone
			if zone == "" {
				zone = "nowhere"
			}
			got := fmt.Sprintf("%s %s in %s", told.Rcode, told.Name, zone)
			if told.Domain != nil {
				got += " by " + told.Domain.ID
			}
			got += ":"
			for i, r := range told.Answer {
				if i > 0 {
					got += ";"
				}
				got += fmt.Sprintf(" %s %.0f %s %s", r.Name, r.TTL.Seconds(), r.Type, r.Data)
			}
			if e := told.Error; e != nil {
				got += fmt.Sprintf(" (%d %s: %s)", e.Code, e.Name, e.Text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := table.Tell(netip.Addr{}, "www.g.example.org.", "NOTHING", 0); err == nil {
		t.Error("a type that there is not was asked for")
	}
	if _, err := table.Tell(netip.Addr{}, "..", "A", 0); err == nil {
		t.Error("a name that there is not was asked for")
	}
}
