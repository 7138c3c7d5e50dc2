package conf

import (
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"
)

// A parser is one run of Parse.
type parser struct {
	src    Source
	diags  hcl.Diagnostics
	fatal  bool            // nothing further can be said
	wanted map[string]bool // what file() was asked for and is not there; nil: that is an error
	torn   map[string]int  // where the syntax of a file is first wrong, in bytes
	limits limits
	*budget
	keep  int            // values that locals and variables may still hold
	spent bool           // the end of steps has been reported
	order map[string]int // of the files
	// Where pieces of files lie whose ranges begin at the piece, by the name that
	// the ranges have; nil when all ranges are those of files.
	shifts map[string]*shift

	file   *raw            // all files' blocks
	ghosts map[string]bool // kinds that an unknown block was probably meant to be

	funcs     map[string]function.Function
	given     map[string]given    // values of variables out of files
	names     map[string]*named   // locals and variables by "local.x", "var.x"
	families  map[string]*family  // top-level blocks by "director.nat"
	busy      []frame             // what is being worked out now
	soft      int                 // cycles met where they may be harmless
	ring      []frame             // the last of them
	rings     map[string]bool     // those reported
	index     map[string][]string // declared names by "local", "var", "director", ...
	needs     map[hcl.Expression]*need
	memo      map[hcl.Expression]result
	byKind    map[string][]*node // top-level instances in file order
	defaults  map[string]*node   // groups of the defaults block by kind
	instances int
	spoken    []bool // arguments that a block was ever given, by their numbers
	allNamed  bool   // an expression names all objects of a kind at once

	// Of a Memory: checks of single objects are done once.
	within *finding   // the one that is being done
	wide   []*finding // those that have looked at all objects of a kind
	epoch  int        // how often owners and segments have been made

	// Found by the checks, for each other and for build.
	fqdn     map[*node]string       // canonical names of zones, nameservers, domains, records
	zones    map[string]*node       // zones by canonical name
	segments []segment              // networks' prefixes in the order of addresses
	owners   map[netip.Addr]owner   // every node's addresses
	vips     map[netip.Addr]int     // how many services have each
	shared   int                    // of them, those that several have
	gateways map[*node][]netip.Addr // each network's router
	plain    *node                  // the default check
	secure   map[*node]*node        // see speaksTLS
	secrets  []string               // written out and reported
	built    *builder               // what has been built, for the next reading
}

func newParser(src Source, l limits) *parser {
	return newParserOn(src, l, &budget{l.steps, l.written})
}

func newParserOn(src Source, l limits, b *budget) *parser {
	p := &parser{
		src: src, limits: l, budget: b, keep: l.kept, order: map[string]int{},
		file:     &raw{sch: root},
		torn:     map[string]int{},
		ghosts:   map[string]bool{},
		given:    map[string]given{},
		names:    map[string]*named{},
		families: map[string]*family{},
		needs:    map[hcl.Expression]*need{},
		memo:     map[hcl.Expression]result{},
		defaults: map[string]*node{},
		rings:    map[string]bool{},
		index:    map[string][]string{},
		byKind:   map[string][]*node{},
		spoken:   make([]bool, len(numbers)),
	}
	p.funcs = functions(p.budget, l.instances)
	p.funcs["file"], p.funcs["env"] = p.fileFunc(), p.envFunc()
	for i, f := range slices.Concat(src.Files, src.VarFiles) {
		if _, ok := p.order[f.Name]; !ok {
			p.order[f.Name] = i
		}
	}
	return p
}
