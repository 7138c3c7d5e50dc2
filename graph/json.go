package graph

import (
	"encoding/json"

	"gslb/topology"
)

// FormatVersion is the version of what JSON writes.
const FormatVersion = 1

type jsonGraph struct {
	FormatVersion int         `json:"format_version"`
	Name          string      `json:"name"`
	Groups        []jsonGroup `json:"groups"`
	Links         []jsonLink  `json:"links"`
}

type jsonGroup struct {
	Address string    `json:"address"` // "" for what has none
	Title   string    `json:"title"`
	Boxes   []jsonBox `json:"boxes"`
}

type jsonBox struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`
	Objects []string `json:"objects"`
	Title   string   `json:"title"`
	Lines   []string `json:"lines"`
}

// A jsonLink leads from each of some boxes to each of others. What is not
// known of its capacity is 0.
type jsonLink struct {
	From     []string `json:"from"`
	To       []string `json:"to"`
	Method   string   `json:"method"` // "" for users
	Label    string   `json:"label"`
	Rewrites float64  `json:"rewrites_bytes_per_second"`
	Delivers float64  `json:"delivers_bytes_per_second"`
}

// JSON writes a topology's boxes and links for programs.
func JSON(t *topology.Topology) string {
	m := compile(t)
	ids := func(boxes []*box) []string {
		out := []string{}
		for _, b := range boxes {
			out = append(out, b.id)
		}
		return out
	}
	out := jsonGraph{FormatVersion: FormatVersion, Name: m.name, Groups: []jsonGroup{}, Links: []jsonLink{}}
	for _, g := range m.groups {
		j := jsonGroup{Address: g.id, Title: g.title, Boxes: []jsonBox{}}
		for _, b := range g.boxes {
			j.Boxes = append(j.Boxes, jsonBox{b.id, b.kind.String(), append([]string{}, b.objects...), b.title, append([]string{}, b.lines...)})
		}
		out.Groups = append(out.Groups, j)
	}
	for _, l := range m.links {
		out.Links = append(out.Links, jsonLink{ids(l.from), ids(l.to), l.method, l.label, l.limit, l.supply})
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic("graph: " + err.Error()) // strings and finite numbers
	}
	return string(text) + "\n"
}
