package main

import (
	"context"
	"log/slog"
	"time"

	"gslb/steering"
	"gslb/steering/geo"
	"gslb/topology"
)

// lookEvery is how often the files of geo databases are looked at. A new one
// is loaded when it has stayed the same from one look to the next.
var lookEvery = 3 * time.Second

// Places are the geo databases that a generation was read with. The generation
// after it has the same ones unless it names other files.
type places struct {
	files geo.Files
	want  geo.Has
	where *geo.Map // nil: no database is named
	stop  context.CancelFunc
}

// A moved is what the watch over places has to tell.
type moved struct {
	places *places
	geo.Change
}

// geoFiles are the databases that a topology names.
func geoFiles(topo *topology.Topology) geo.Files {
	if topo.GeoIP == nil {
		return geo.Files{}
	}
	return geo.Files{City: topo.GeoIP.City, ASN: topo.GeoIP.ASN}
}

// wanted is what the policies of a topology's domains cannot do without.
func wanted(topo *topology.Topology) geo.Has {
	var claims, want geo.Has
	for _, r := range topo.Regions {
		claims.Continent = claims.Continent || len(r.Continents) > 0
		claims.Country = claims.Country || len(r.Countries) > 0
		claims.ASN = claims.ASN || len(r.ASNs) > 0
	}
	for _, d := range topo.Domains {
		for _, s := range d.Policy.All() {
			switch s.Kind {
			case topology.StepGeo:
				want = geo.Has{Continent: claims.Continent, Country: claims.Country, ASN: claims.ASN, Point: want.Point}
			case topology.StepASN:
				want.ASN = want.ASN || claims.ASN
			case topology.StepNearest:
				want.Point = true
			}
		}
	}
	return want
}

// where are the places of a generation, nil when there is none.
func (g *generation) where() *places {
	if g == nil {
		return nil
	}
	return g.places
}

// drop stops the watch over the databases of a generation that is no longer
// needed, unless one that stays has the same.
func (d *dnsNode) drop(gone *generation, stay ...*generation) {
	if gone == nil {
		return
	}
	for _, g := range stay {
		if g.where() == gone.places {
			return
		}
	}
	gone.places.stop()
}

// places loads the databases that topo names, or keeps those of before, and
// sends what becomes of them to the node until they are stopped.
func (d *dnsNode) places(topo *topology.Topology, before *places) (*places, error) {
	p := &places{files: geoFiles(topo), want: wanted(topo), stop: func() {}}
	if !p.files.Is() {
		return p, nil
	}
	if before != nil && before.files == p.files {
		if err := before.where.Missing(p.want, p.files); err != nil {
			return nil, err
		}
		before.want = p.want
		return before, nil
	}
	begin := time.Now()
	where, watch, err := geo.Start(p.files)
	if err != nil {
		return nil, err
	}
	if err := where.Missing(p.want, p.files); err != nil {
		return nil, err
	}
	p.where = where
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go watch.Run(ctx, lookEvery, func(c geo.Change) {
		select {
		case d.moves <- moved{p, c}:
		case <-ctx.Done():
		}
	})
	d.log.Info("geo databases loaded", append(p.attrs(), "took", time.Since(begin).Round(time.Millisecond))...)
	return p, nil
}

func (p *places) attrs() []any {
	var attrs []any
	if p.files.City != "" {
		attrs = append(attrs, "city", p.files.City)
	}
	if p.files.ASN != "" {
		attrs = append(attrs, "asn", p.files.ASN)
	}
	return attrs
}

// ground is what health does not change of steering by these places.
func (p *places) ground(topo *topology.Topology) *steering.Ground {
	if p.where == nil {
		return steering.Prepare(topo, nil)
	}
	return steering.Prepare(topo, p.where)
}

// move takes in what has become of a generation's databases. Broken ones
// change nothing.
func (d *dnsNode) move(m moved) {
	p := m.places
	if m.Err == nil {
		m.Err = m.Map.Missing(p.want, p.files)
	}
	if m.Err != nil {
		d.log.Error("geo databases refused, those loaded before stay", slog.Any("reason", m.Err))
		return
	}
	p.where = m.Map
	for _, g := range []*generation{d.now, d.next} {
		if g != nil && g.places == p {
			g.ground = p.ground(g.topo)
		}
	}
	d.log.Info("geo databases reloaded", p.attrs()...)
	if d.now != nil && d.now.places == p {
		d.publish()
	}
}
