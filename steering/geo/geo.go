// Package geo reads databases in MaxMind's format (.mmdb) and makes of them
// one [Map]: disjoint prefixes in ascending order, each with the continent,
// country, coordinates and autonomous system of the users in it. The layouts of
// MaxMind, of DB-IP Lite and the flat one of ip-location-db are read.
//
// A database is read once, as a whole, and verified before anything of it is
// believed; what is broken is refused with a sentence and never half read.
// Which region a place belongs to is none of this package's business: that is
// steering's.
package geo

import (
	"errors"
	"fmt"
	"net/netip"

	"gslb/steering"
)

// Files are the paths of databases; "" = none.
type Files struct {
	City string // a City or Country database
	ASN  string
}

// Is reports whether a database is named at all.
func (f Files) Is() bool { return f != Files{} }

// A Map says where addresses are. It is never changed once made, so it may be
// shared between goroutines.
type Map struct {
	runs   []run
	places []steering.Where // without ASN; place 0 is nowhere
	has    Has
}

// Has says what at least one record of a map or database tells.
type Has struct{ Continent, Country, Point, ASN bool }

// Load reads the databases. Errors name the file and what is wrong with it.
func Load(f Files) (*Map, error) {
	m, _, err := load(f)
	return m, err
}

// load returns the marks of the files that were read, also with an error.
func load(f Files) (*Map, marks, error) {
	var seen marks
	if !f.Is() {
		return nil, seen, errors.New("no geo database is named")
	}
	m := &Map{}
	var city, asn []run
	var err error
	if f.City != "" {
		var d *Database
		if d, seen.city, err = open(f.City); err != nil {
			return nil, seen, err
		}
		if city, m.places, m.has, err = d.cities(); err != nil {
			return nil, seen, err
		}
	}
	if f.ASN != "" {
		var d *Database
		if d, seen.asn, err = open(f.ASN); err != nil {
			return nil, seen, err
		}
		if asn, err = d.systems(); err != nil {
			return nil, seen, err
		}
		m.has.ASN = true
	}
	m.runs = fit(merge(city, asn))
	return m, seen, nil
}

// Has says what the map's databases tell.
func (m *Map) Has() Has { return m.has }

// Walk yields the map's prefixes until yield returns false: IPv4 before IPv6,
// ascending, none within another, neighbours that say the same joined to the
// largest prefixes. What no database knows is left out, and so are the
// addresses of IPv6 that stand for those of IPv4 (::ffff:0:0/96, 6to4, Teredo).
func (m *Map) Walk(yield func(netip.Prefix, steering.Where) bool) {
	for i, r := range m.runs {
		if r.place == 0 && r.asn == 0 {
			continue
		}
		end := top
		if i+1 < len(m.runs) {
			end = m.runs[i+1].from.before()
		}
		w := steering.Where{}
		if r.place > 0 {
			w = m.places[r.place]
		}
		w.ASN = r.asn
		for from := r.from; ; {
			p, last := largest(from, end)
			if !yield(p, w) {
				return
			}
			if last == end {
				break
			}
			from = last.after()
		}
	}
}

// Lookup says where a is.
func (m *Map) Lookup(a netip.Addr) steering.Where {
	r := find(m.runs, keyOf(a.Unmap()))
	var w steering.Where
	if r.place > 0 {
		w = m.places[r.place]
	}
	w.ASN = r.asn
	return w
}

// Missing says which of what is wanted no database of the files tells, as an
// error that names the file; nil: nothing is missing.
func (m *Map) Missing(want Has, f Files) error {
	file := func(path, argument string) string {
		if path == "" {
			return "no geo database is named as " + argument
		}
		return "geo database " + path
	}
	switch {
	case want.ASN && !m.has.ASN:
		return fmt.Errorf("%s: a region is chosen by autonomous system", file(f.ASN, "asn"))
	case want.Point && !m.has.Point:
		return fmt.Errorf("%s: it has no coordinates, and a policy chooses the nearest region: a City database has them", file(f.City, "city"))
	case want.Country && !m.has.Country:
		return fmt.Errorf("%s: it has no countries, and a region is chosen by country", file(f.City, "city"))
	case want.Continent && !m.has.Continent:
		return fmt.Errorf("%s: it has no continents, and a region is chosen by continent", file(f.City, "city"))
	}
	return nil
}
