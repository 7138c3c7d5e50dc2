package conf

import "github.com/hashicorp/hcl/v2"

// A shift is where a piece of a file lies. Ranges in the piece begin at its
// start and have its name instead of the file's, so that the piece may move
// without them.
type shift struct {
	file  string
	order int // of the file
	line  int // lines in front of it
	byte  int // bytes in front of it
}

func (l *shift) move(p hcl.Pos) hcl.Pos {
	p.Line += l.line
	p.Byte += l.byte
	return p
}

// resolve is a range as a range of its file.
func (p *parser) resolve(r hcl.Range) hcl.Range {
	if l := p.shifts[r.Filename]; l != nil {
		return hcl.Range{Filename: l.file, Start: l.move(r.Start), End: l.move(r.End)}
	}
	return r
}

// resolved are diagnostics with ranges of files. They are copies: those that
// are kept for the next reading stay as they are.
func (p *parser) resolved(diags hcl.Diagnostics) hcl.Diagnostics {
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		if d.Subject != nil {
			c.Subject = p.resolve(*d.Subject).Ptr()
		}
		x := *d.Extra.(*Extra)
		x.Related = nil
		for _, r := range d.Extra.(*Extra).Related {
			x.Related = append(x.Related, Related{r.Message, p.resolve(r.Range)})
		}
		c.Extra = &x
		out[i] = &c
	}
	return out
}
