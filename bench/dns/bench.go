package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// A bench measures the contestants of one scene.
type bench struct {
	settings
	scene  *scene
	cards  *cards // nil: all is on loopback
	root   string // of packages that the machine lacks
	folder string
	cores  [2]int
	say    func(string, ...any)
}

// run starts the contestants, checks them, and measures them in turns. There is
// a result for each number of askers.
func (b *bench) run(ctx context.Context) ([]*SceneResult, error) {
	type entry struct {
		*server
		queries []query
		runs    map[int][]Run // by number of askers
	}
	askers := []int{b.window}
	if b.scene.proxies {
		askers = append(askers, few)
	}
	if b.askers > 0 {
		askers = []int{b.askers}
	}
	var entries []*entry
	defer func() {
		for _, e := range entries {
			e.stop()
		}
	}()
	byWorld := map[world][]query{}
	if b.scene.card {
		var err error
		if b.cards, err = newCards(); err != nil {
			return nil, err
		}
		defer b.cards.close()
	}
	for i, c := range b.scene.against {
		if c.server == "coredns" && b.coredns == "" {
			continue
		}
		s, err := b.start(ctx, c, i, filepath.Join(b.folder, fmt.Sprintf("%d-%s", i, c.server)))
		if err != nil {
			return nil, err
		}
		if byWorld[c.world] == nil {
			byWorld[c.world] = c.world.queries()
		}
		e := &entry{s, byWorld[c.world], map[int][]Run{}}
		entries = append(entries, e)
		b.say("%s: checking %d answers of %s", b.scene.name, samples, s.label)
		if err := s.wait(ctx, e.queries[0]); err != nil {
			return nil, err
		}
		if err := s.verify(c.world, e.queries); err != nil {
			return nil, err
		}
	}
	for round := range b.rounds {
		for _, n := range askers {
			for _, e := range entries {
				b.say("%s: round %d of %d: %s, %d askers", b.scene.name, round+1, b.rounds, e.label, n)
				m, err := b.once(ctx, e.server, e.queries, n)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", e.label, err)
				}
				e.runs[n] = append(e.runs[n], m)
			}
		}
	}
	var results []*SceneResult
	for _, n := range askers {
		r := &SceneResult{Name: b.scene.name, Title: b.scene.title, Askers: n}
		for _, e := range entries {
			r.Results = append(r.Results, Result{Server: e.label, Runs: e.runs[n]})
		}
		r.compare()
		results = append(results, r)
	}
	return results, nil
}

// once measures one server for one turn, after a moment to warm up.
func (b *bench) once(ctx context.Context, s *server, queries []query, askers int) (Run, error) {
	g, err := newGenerator(s, queries, b.window, askers)
	if err != nil {
		return Run{}, err
	}
	defer g.close()
	if err := b.cards.settle(s.number, b.cores); err != nil {
		return Run{}, err
	}
	d := time.Duration(b.seconds * float64(time.Second))
	if err := g.run(ctx, d/10); err != nil {
		return Run{}, err
	}
	g.sent, g.answered, g.lost, g.strange = 0, 0, 0, 0
	cpu, err := s.cpu()
	if err != nil {
		return Run{}, err
	}
	before, start := worked(), time.Now()
	if err := g.run(ctx, d); err != nil {
		return Run{}, err
	}
	took, mine := time.Since(start), worked()-before
	after, err := s.cpu()
	if err != nil {
		return Run{}, err
	}
	if g.answered == 0 {
		return Run{}, fmt.Errorf("none of %d queries answered", g.sent)
	}
	return Run{
		PerSecond:      float64(g.answered) / took.Seconds(),
		Micros:         float64((after - cpu).Nanoseconds()) / 1e3 / float64(g.answered),
		Lost:           g.lost,
		Strange:        g.strange,
		ServerShare:    (after - cpu).Seconds() / took.Seconds(),
		GeneratorShare: mine.Seconds() / took.Seconds(),
	}, nil
}
