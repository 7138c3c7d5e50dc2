// Package conf turns topology files into a [topology.Topology], or into
// diagnostics that name every fault at once, each at the value that is wrong.
// It is the only package that knows HCL. It reads no disk, no environment and
// no clock: its whole input is a [Source], and the same input gives the same
// output. Package load fills a Source from disk.
package conf

import (
	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// A Source is everything a topology is made of.
type Source struct {
	Files    []File            // all files together are one topology
	VarFiles []File            // values of variables, name = value; a later one beats an earlier one
	Vars     map[string]string // values of variables by name; they beat VarFiles
	// Env is the environment: GSLB_VAR_name gives variable name, which
	// everything else beats, and env("NAME") reads NAME.
	Env map[string]string
	// Texts are what file("path") gives, by that path. See [Wanted].
	Texts map[string]string
	// Unread says of paths that the topology names why they cannot be read
	// here, "" when they can; nothing is said of paths that are not in it.
	Unread map[string]string
	// Problems are files that could not be read.
	Problems []Problem
	// Masters are master files of zones with what is wrong in them, for those
	// who have read them.
	Masters []Master
}

// A Master is the master file of a zone.
type Master struct {
	File  // without a name, of no file in particular
	Flaws []Flaw
}

// A Flaw is what is wrong in a master file.
type Flaw struct {
	Line int // counted from 1; 0: the file as a whole
	What string
}

// A File is one file's name, as diagnostics show it, and content. A name that
// ends in ".json" is read as HCL's JSON form.
type File struct {
	Name string
	Data []byte
}

// SchemaVersion is the newest `schema` of a topology block that Parse reads.
const SchemaVersion = 1

// Parse reads a topology. The topology is nil exactly when the diagnostics
// hold an error; warnings alone do not withhold it.
func Parse(src Source) (*topology.Topology, hcl.Diagnostics) {
	return parse(src, standardLimits)
}

func parse(src Source, l limits) (*topology.Topology, hcl.Diagnostics) {
	p := newParser(src, l)
	diags := p.run()
	if diags.HasErrors() {
		return nil, diags
	}
	return p.build(), diags
}

// run reads, evaluates and checks the source.
func (p *parser) run() hcl.Diagnostics {
	p.read()
	p.findSecrets(p.file)
	if !p.fatal {
		p.evaluate()
	}
	p.checkPaths()
	p.masters()
	switch {
	case p.fatal:
	case len(p.torn) > 0:
		p.mend()
	default:
		p.check()
	}
	return p.diagnostics()
}
