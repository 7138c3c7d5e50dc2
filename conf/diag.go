package conf

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Extra is what a diagnostic of this package holds in [hcl.Diagnostic.Extra]
// beside what HCL's own have.
type Extra struct {
	Code    string    // stable: GS220
	Help    string    // the way out, "" when the detail says it
	Related []Related // other places that take part
	More    int       // instances of the same block that have the same fault

	what string // tells faults of one code at one place apart
}

// A Related is another place that takes part in a fault.
type Related struct {
	Message string
	Range   hcl.Range
}

// Code returns a diagnostic's stable code, "" for one that is not of this package.
func Code(d *hcl.Diagnostic) string {
	x, _ := d.Extra.(*Extra)
	if x == nil {
		return ""
	}
	return x.Code
}

// The codes and the phrase each is searched by.
var summaries = map[string]string{
	"GS001": "Unknown argument",
	"GS002": "Missing argument",
	"GS003": "Unknown block",
	"GS004": "Wrong number of labels",
	"GS005": "Invalid for_each",
	"GS006": "Reference cycle",
	"GS007": "Declared twice",
	"GS008": "Unknown reference",
	"GS009": "Wrong kind of reference",
	"GS010": "Invalid value",
	"GS011": "Declared but not used",
	"GS012": "Schema is newer than this program",
	"GS014": "Secret in plain text",
	"GS015": "File is not readable here",
	"GS016": "Syntax error",
	"GS017": "Invalid expression",
	"GS018": "Too large",
	"GS019": "Variable refused",
	"GS020": "Not available yet",
	"GS021": "Without effect yet",
	"GS022": "File cannot be read",
	"GS101": "Name outside its zone",
	"GS102": "Conflicting names",
	"GS103": "Zone without name servers",
	"GS104": "Name servers in one place",
	"GS105": "Only one name server",
	"GS106": "Invalid domain name",
	"GS107": "Invalid SOA",
	"GS108": "Negative answers outlive steered ones",
	"GS109": "Invalid DNSSEC",
	"GS110": "Answer does not fit a packet",
	"GS111": "Wildcard and domain meet",
	"GS113": "Address families differ",
	"GS114": "Duplicate record",
	"GS115": "TTL out of range",
	"GS116": "Target without addresses",
	"GS117": "Another host is checked",
	"GS118": "Error in a master file",
	"GS201": "Failover members on different segments",
	"GS202": "VIP needs a route",
	"GS203": "VIP is the address of a node",
	"GS204": "Overlapping networks",
	"GS205": "Address does not fit its network",
	"GS206": "Address used twice",
	"GS207": "Private address in a public answer",
	"GS208": "Tier cannot carry this address family",
	"GS209": "VIP has two owners",
	"GS210": "Two services on one address and port",
	"GS211": "Nothing owns the VIP",
	"GS212": "Nothing listens on the address",
	"GS220": "Direct routing cannot reach the next tier",
	"GS222": "Method cannot change the port",
	"GS223": "Server cannot take tunnelled packets",
	"GS224": "MTU leaves no room for the tunnel",
	"GS225": "Replies cannot get out",
	"GS226": "Director as its own real server",
	"GS227": "Unknown scheduler",
	"GS228": "Connection tracking sees one direction only",
	"GS229": "One-packet scheduling cannot work here",
	"GS230": "NAT director without a farm",
	"GS231": "NAT director will be the bottleneck",
	"GS232": "NAT farm is not behind its gateway",
	"GS233": "Replies can bypass the director",
	"GS237": "Farm's gateway is not a director of the tier",
	"GS238": "Single NAT director",
	"GS240": "NAT before the last tier",
	"GS241": "Tier with the wrong members",
	"GS242": "Quorum that cannot work",
	"GS243": "All weights are zero",
	"GS244": "Inverted connection thresholds",
	"GS245": "Persistence that may surprise",
	"GS246": "Failover member cannot carry everything",
	"GS247": "Tiers in different regions",
	"GS250": "Virtual router id",
	"GS252": "Failover pair with the wrong members",
	"GS253": "Preemption without delay",
	"GS254": "Unusual advertisement interval",
	"GS255": "Sync id",
	"GS256": "Failover members fail together",
	"GS257": "Connections break at a take-over",
	"GS258": "Failover pair without an address",
	"GS301": "Region without fallback",
	"GS302": "Fallback leads nowhere",
	"GS303": "Users whom nobody serves",
	"GS304": "Prefix claimed twice",
	"GS305": "Wrong continent or country",
	"GS306": "Nothing says where clients are",
	"GS307": "Argument of another step",
	"GS308": "Steps in the wrong order",
	"GS309": "Policy without a health step",
	"GS310": "One answer with a long TTL",
	"GS312": "Slow start without weights",
	"GS313": "Region without a location",
	"GS314": "Answer without a region",
	"GS315": "No region claims users",
	"GS401": "TTL dominates failover time",
	"GS402": "All answer weights are zero",
	"GS403": "Timeout is not below the interval",
	"GS404": "More probes than a node can do",
	"GS405": "All vantage points in one region",
	"GS407": "Check does not suit TLS",
	"GS408": "Check does not say which port",
	"GS409": "Check turns over at every result",
	"GS410": "Reports are called old too soon",
	"GS411": "Timeout is below the round trip",
	"GS501": "No headroom for a failure",
}

// The phrases of codes whose warnings are about another matter than their errors.
var cautions = map[string]string{
	"GS107": "Unusual SOA",
	"GS109": "Costly signatures",
	"GS225": "Replies leave by the servers' own route",
	"GS227": "Scheduler does not fit",
	"GS242": "Low quorum",
	"GS243": "Weights far apart",
	"GS305": "Place claimed twice",
}

// A fault is a diagnostic in the making.
type fault struct {
	code   string
	at     hcl.Range
	detail string
	help   string
	rel    []Related
	what   string // which of several faults of one code that a place can have: the missing argument
}

func (p *parser) errorf(code string, at hcl.Range, format string, args ...any) {
	p.report(fault{code: code, at: at, what: format, detail: fmt.Sprintf(format, args...)})
}

func (p *parser) report(f fault) { p.add(hcl.DiagError, f) }

func (p *parser) warn(f fault) { p.add(hcl.DiagWarning, f) }

func (p *parser) add(severity hcl.DiagnosticSeverity, f fault) {
	summary, ok := summaries[f.code]
	if !ok {
		panic("conf: code without a summary: " + f.code)
	}
	if caution, ok := cautions[f.code]; ok && severity == hcl.DiagWarning {
		summary = caution
	}
	d := &hcl.Diagnostic{
		Severity: severity, Summary: summary, Detail: redact(f.detail),
		Extra: &Extra{Code: f.code, Help: redact(f.help), Related: f.rel, what: f.what},
	}
	if f.at != (hcl.Range{}) {
		d.Subject = &f.at
	}
	p.diags = append(p.diags, d)
}

// diagnostics returns what was found in the order of the text, with the
// repeats that instances of one block cause folded into the first. That
// something has no effect yet is not said of a file with errors: the same words
// may be wrong. That something is not available yet is no fault of the file and
// refuses it only when there is none: beside faults it is a warning.
func (p *parser) diagnostics() hcl.Diagnostics {
	type key struct {
		code string
		at   hcl.Range
		sev  hcl.DiagnosticSeverity
		what string
	}
	first := map[key]*hcl.Diagnostic{}
	var out hcl.Diagnostics
	if p.shifts != nil {
		p.diags = p.resolved(p.diags)
	}
	faulty := slices.ContainsFunc(p.diags, func(d *hcl.Diagnostic) bool {
		return d.Severity == hcl.DiagError && Code(d) != "GS020"
	})
	for _, d := range p.diags {
		if faulty && Code(d) == "GS020" {
			d.Severity = hcl.DiagWarning
		}
		if Code(d) == "GS021" && p.diags.HasErrors() {
			continue
		}
		k := key{code: Code(d), sev: d.Severity}
		if d.Subject == nil {
			out = append(out, d)
			continue
		}
		k.at, k.what = *d.Subject, d.Extra.(*Extra).what
		if k.code == "GS016" {
			k.what = d.Detail // the text is read once, for all instances
		}
		if f, ok := first[k]; ok {
			if f.Detail != d.Detail {
				f.Extra.(*Extra).More++
			}
			continue
		}
		first[k] = d
		out = append(out, d)
	}
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		return p.before(*a.Subject, *b.Subject)
	})
	return out
}

// mend keeps of what was found in files whose syntax is wrong in places that
// which does not follow from the missing text: faults in front of the first
// wrong place, but for names that may be declared behind it.
func (p *parser) mend() {
	last := map[string]int{} // where the block begins that the wrong place is in
	for _, r := range p.file.kids {
		if at := r.decl.Start.Byte; at < p.torn[r.decl.Filename] {
			last[r.decl.Filename] = max(last[r.decl.Filename], at)
		}
	}
	p.diags = slices.DeleteFunc(p.diags, func(d *hcl.Diagnostic) bool {
		code := Code(d)
		if code == "GS016" || d.Subject == nil {
			return false
		}
		at := d.Subject.Start.Byte
		end, torn := p.torn[d.Subject.Filename]
		return d.Severity != hcl.DiagError || code == "GS008" || torn && (at >= end || code == "GS002" && at >= last[d.Subject.Filename])
	})
}

// before compares two places in the order of the text.
func (p *parser) before(a, b hcl.Range) int {
	a, b = p.resolve(a), p.resolve(b)
	return cmp.Or(cmp.Compare(p.place(a), p.place(b)), cmp.Compare(a.Start.Byte, b.Start.Byte))
}

// place is where a file stands among all: master files behind the topology's.
func (p *parser) place(r hcl.Range) int {
	if i, ok := p.order[r.Filename]; ok {
		return i
	}
	return len(p.order)
}

// failed reports whether an error has been found so far.
func (p *parser) failed() bool { return p.diags.HasErrors() }

// Diagnostics are what [Parse] has to say, so that other rooms can pass it on
// without knowing HCL.
type Diagnostics = hcl.Diagnostics

// IsError reports whether a diagnostic makes the topology invalid; a warning does not.
func IsError(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagError }
