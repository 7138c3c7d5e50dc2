package plan

import (
	"fmt"
	"strconv"
	"strings"

	"gslb/topology"
)

// checked says what is checked by what, in the order of the file.
type checked struct {
	at    any    // the same before and after, whatever it is called
	what  string // an address in the file
	check *topology.Check
	port  uint16 // where it looks when it names none; 0: at what a tier sends to
}

// directorChecks are the checks that a director makes.
func directorChecks(d *director) []checked {
	var out []checked
	asked := map[*topology.Farm]bool{}
	d.tiers(func(at stage, id string, tier *topology.Tier) {
		out = append(out, checked{at, id, tier.Check, 0})
		for _, f := range tier.Farms {
			if !asked[f] && d.forwards(tier, f) {
				asked[f] = true
				out = append(out, checked{f.ID, f.ID + ".agent", f.Agent, 0})
			}
		}
	})
	for _, f := range d.pairs {
		for _, t := range f.Tracks {
			out = append(out, checked{t.ID, t.ID, t.Check, 0})
		}
	}
	return out
}

// answerChecks are the checks that every nameserver makes.
func answerChecks(t *topology.Topology) []checked {
	var out []checked
	for _, d := range t.Domains {
		for _, a := range d.Answers {
			out = append(out, checked{a.ID, a.ID, a.Check, a.Port})
		}
	}
	return out
}

// checkChanges are the changes of how things are checked that are checked
// before and after: another check, or a check that changes, once.
func checkChanges(old, now []checked) []Change {
	was := make(map[any]checked, len(old))
	for _, x := range old {
		was[x.at] = x
	}
	seen := map[string]bool{}
	var out []Change
	for _, x := range now {
		b, there := was[x.at]
		before := b.check
		if before != nil && x.check != nil && x.check.Port == 0 {
			out = append(out, leaves("check", x.what, []leaf{{"checked port", some(b.port)}}, []leaf{{"checked port", some(x.port)}})...)
		}
		switch {
		case !there || before == nil && x.check == nil:
		case before == nil || x.check == nil || before.ID != x.check.ID:
			out = append(out, leaves("check", x.what, []leaf{{"check", name(before)}}, []leaf{{"check", name(x.check)}})...)
		case x.check.ID == "": // made for what it checks, and so not the same everywhere
			out = append(out, leaves("check", x.what+" default check", checkLeaves(before), checkLeaves(x.check))...)
		case !seen[x.check.ID]:
			seen[x.check.ID] = true
			out = append(out, leaves("check", x.check.ID, checkLeaves(before), checkLeaves(x.check))...)
		}
	}
	return out
}

func name(c *topology.Check) string {
	if c == nil {
		return ""
	}
	return or(c.ID, "default")
}

func checkLeaves(c *topology.Check) []leaf {
	list := []leaf{
		{"type", c.Type.String()}, {"port", ""}, {"interval", span(c.Interval)}, {"timeout", span(c.Timeout)},
		{"jitter", fmt.Sprint(c.Jitter)}, {"rise", strconv.Itoa(c.Rise)}, {"fall", strconv.Itoa(c.Fall)},
		{"path", c.Path}, {"method", c.Method}, {"http2", strconv.FormatBool(c.HTTP2)}, {"headers", words(c.Headers)},
		{"host", c.Host}, {"status", strings.Trim(fmt.Sprint(c.Status), "[]")}, {"verify", strconv.FormatBool(c.Verify)},
		{"slow_start", span(c.SlowStart)}, {"send", c.Send}, {"text", c.Text}, {"pattern", c.Pattern}, {"query", c.Query}, {"query_type", c.QueryType},
		{"rcode", words(c.Rcodes)}, {"answer", words(c.Records)}, {"tls", strconv.FormatBool(c.TLS)}, {"grpc_service", c.Service},
		{"command", words(c.Command)}, {"environment", words(c.Environment)}, {"user", c.User}, {"group", c.Group},
		{"helo", c.Helo}, {"starttls", strconv.FormatBool(c.StartTLS)}, {"sha256", c.SHA256}, {"file", c.File}, {"exists", strconv.FormatBool(!c.Absent)},
		{"max_age", span(c.MaxAge)}, {"certificate_days", strconv.Itoa(c.CertificateDays)},
		{"flap.count", strconv.Itoa(c.Flap.Count)}, {"flap.window", span(c.Flap.Window)}, {"flap.hold", span(c.Flap.Hold)}, {"flap.max", span(c.Flap.Max)},
	}
	if c.Port != 0 {
		list[1].value = strconv.Itoa(int(c.Port))
	}
	return list
}
