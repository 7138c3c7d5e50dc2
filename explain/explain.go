// Package explain says why a question gets its answer and which way the
// packets then take: what each step of a policy did, the records with their
// shares, and tier by tier the directors and real servers behind a VIP. It
// decides nothing itself: who is up follows from tiers' tables, what is
// answered from steering and from the name server it is given. It is
// arithmetic on values; package main reads files and prints.
package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gslb/steering"
	"gslb/topology"
)

// FormatVersion is the version of the JSON form of an [Explanation].
const FormatVersion = 1

// A Question is what is to be explained.
type Question struct {
	Name     string     // absolute, with trailing dot
	Type     string     // upper case: A, AAAA, TXT, ...
	Client   netip.Addr // who wants to know
	Resolver netip.Addr // who asks the name server for it; the zero Addr: the client itself
	// ECS says that the resolver tells the name server the client's network:
	// a /24 of IPv4, a /56 of IPv6 (RFC 7871).
	ECS bool
}

// client is who asks as far as the name server knows.
func (q Question) client() netip.Prefix {
	switch {
	case q.ECS:
		return steering.ClientOf(q.Client)
	case q.Resolver.IsValid():
		return netip.PrefixFrom(q.Resolver, q.Resolver.BitLen())
	}
	return netip.PrefixFrom(q.Client, q.Client.BitLen())
}

// A Reply is what the name server says to a question.
type Reply struct {
	Rcode         string // NOERROR, NXDOMAIN, REFUSED, ...
	Authoritative bool
	Name, Zone    string           // where aliases have led, and the zone that lies in; Zone "": none of ours
	Domain        *topology.Domain // that steers Name; nil: none
	Answer        []Record
	Authority     []Record
	Additional    []Record
	Scope         int            // of ECS
	Error         *ExtendedError // for those who ask with EDNS; nil: none
}

// An ExtendedError is what the name server says beside a reply (RFC 8914).
type ExtendedError struct {
	Code uint16 `json:"code"`
	Name string `json:"name"` // of the code
	Text string `json:"text,omitempty"`
}

// A Record is one record of a reply.
type Record struct {
	Name string
	TTL  time.Duration
	Type string
	Data string // as zone-file text
}

// A Server answers client as the name server does with a table. Its
// number u makes the answers of steered names differ (see [steering.Table.Pick]).
type Server func(table *steering.Table, client netip.Addr, name, typ string, u uint64) (Reply, error)

// An Explanation is the whole of it, and its own JSON form.
type Explanation struct {
	FormatVersion int    `json:"format_version"`
	Question      Asked  `json:"question"`
	Down          []Down `json:"down"`
	Rules         []Rule `json:"rules"`
	Steps         []Step `json:"steps"`
	Answer        Answer `json:"answer"`
	Paths         []Path `json:"paths"`
}

// Asked is the question and where it belongs.
type Asked struct {
	Name     string     `json:"name"`
	Type     string     `json:"type"`
	Client   netip.Addr `json:"client"`
	Resolver netip.Addr `json:"resolver"` // the client where nothing else was said
	ECS      bool       `json:"ecs"`      // the resolver tells the client's network
	// Steered is whom the name server takes for the client, and Place what
	// the map says of it.
	Steered netip.Prefix `json:"steered"`
	Place   *Located     `json:"place,omitempty"`
	Zone    string       `json:"zone,omitempty"`
	Domain  string       `json:"domain,omitempty"`
	Policy  string       `json:"policy,omitempty"` // of the domain; "default" is that of a domain without one
	// Seen is the name server that was asked what it knows; nil: none.
	Seen *Snapshot `json:"seen,omitempty"`
}

// Located is what the map says of the client.
type Located struct {
	Prefix    netip.Prefix `json:"prefix"` // for whom it says so
	Continent string       `json:"continent,omitempty"`
	Country   string       `json:"country,omitempty"`
	ASN       uint32       `json:"asn,omitempty"`
	Latitude  *float64     `json:"latitude,omitempty"` // degrees
	Longitude *float64     `json:"longitude,omitempty"`
}

// A Down is an object that counts as dead because somebody said so.
type Down struct {
	Object string `json:"object"`
	With   int    `json:"objects_with_it"` // how many follow it
}

// A Step is what a step of the policy did.
type Step struct {
	Step   string  `json:"step"`             // health, weight, rotate, limit, ...
	Policy string  `json:"policy,omitempty"` // that it is a step of, where that is not the domain's
	Number int     `json:"number"`
	Text   string  `json:"text"`
	Left   []Place `json:"left"`
	Out    []Out   `json:"out"`
	// Varies says that what is left differs from query to query: Kept of Left.
	Varies bool `json:"varies"`
	Kept   int  `json:"kept"`
}

// A Place is an answer that a step has left.
type Place struct {
	Answer    string       `json:"answer"`
	Label     string       `json:"-"`
	Addresses []netip.Addr `json:"addresses"`
	Weight    int          `json:"weight"`
	// WeightNow is what slow start or an agent leaves of Weight; nil: all of it.
	WeightNow *float64 `json:"weight_now,omitempty"`
	Share     float64  `json:"share,omitempty"` // 0 to 1, of the queries; after weight only
}

// An Out is an answer, or addresses of one that stays, that a step has left out.
type Out struct {
	Answer    string       `json:"answer"`
	Label     string       `json:"-"`
	Addresses []netip.Addr `json:"addresses"`
	Why       string       `json:"why"`
}

// An Answer is what the resolver gets.
type Answer struct {
	Rcode         string `json:"rcode"`
	Authoritative bool   `json:"authoritative"`
	Scope         int    `json:"scope_prefix_length"` // of ECS; 0: the same for every client
	// Error is sent to those who ask with EDNS, as nearly all resolvers do.
	Error     *ExtendedError `json:"extended_error,omitempty"`
	Records   []Recorded     `json:"records"`
	Authority []Recorded     `json:"authority"`
	// Additional are the addresses of the hosts that the records lead to, as
	// far as they are sent along.
	Additional []Recorded `json:"additional,omitempty"`
	// Each reply holds from Least to Most of the steered addresses.
	Least int      `json:"addresses_per_reply_min,omitempty"`
	Most  int      `json:"addresses_per_reply_max,omitempty"`
	Notes []string `json:"notes"`

	missing string // why there is no such name; "": there is
}

// Missing says, in a sentence, that there is no name such as the one that was
// asked for, and which one may have been meant; "" where there is.
func (x *Explanation) Missing() string { return x.Answer.missing }

// A Recorded is a record with the part of the replies that hold it.
type Recorded struct {
	Name    string  `json:"name"`
	TTL     int     `json:"ttl_seconds"`
	Type    string  `json:"type"`
	Data    string  `json:"data"`
	Share   float64 `json:"share"` // 0 to 1
	Answers []Named `json:"answers,omitempty"`
}

// A Named is an answer of a domain and the service that stands behind it.
type Named struct {
	Answer  string `json:"answer"`
	Label   string `json:"-"`
	Service string `json:"service,omitempty"`
}

// Explain answers q while state says who is up.
func Explain(topo *topology.Topology, q Question, state State, server Server) (*Explanation, error) {
	w, err := newWorld(topo, state)
	if err != nil {
		return nil, err
	}
	x := &Explanation{
		FormatVersion: FormatVersion,
		Question:      Asked{Name: q.Name, Type: q.Type, Client: q.Client, Resolver: q.Resolver, ECS: q.ECS, Steered: q.client()},
		Down:          w.roots(), Rules: []Rule{}, Steps: []Step{}, Paths: []Path{},
	}
	if s := state.Seen; s != nil {
		x.Question.Seen = &Snapshot{At: s.At.UTC(), Node: s.Node, Starting: s.Starting}
	}
	if !q.Resolver.IsValid() {
		x.Question.Resolver = q.Client
	}
	client := q.client().Masked().Addr()
	reply, err := server(w.ground.Compile(steering.Inputs{}), client, q.Name, q.Type, 0)
	if err != nil {
		return nil, fmt.Errorf("ask %s %s: %w", q.Name, q.Type, err)
	}
	x.Question.Zone = reply.Zone
	a := answering{world: w, question: q, server: server, client: q.client()}
	if reply.Domain != nil {
		x.Question.Domain = reply.Domain.ID
		x.Question.Policy = reply.Domain.Policy.ID
		if x.Question.Policy == "" {
			x.Question.Policy = "default"
		}
		a.steer(reply.Domain)
		if reply, err = server(w.ground.Compile(a.in), client, q.Name, q.Type, 0); err != nil {
			return nil, fmt.Errorf("ask %s %s: %w", q.Name, q.Type, err)
		}
		x.Steps = a.steps()
		x.Rules = a.rules()
		if where := a.trace.Where; a.trace.Prefix.IsValid() {
			x.Question.Place = &Located{Prefix: a.trace.Prefix, Continent: where.Continent, Country: where.Country, ASN: where.ASN}
			if p := where.Point; p != nil {
				x.Question.Place.Latitude, x.Question.Place.Longitude = &p.Lat, &p.Lon
			}
		}
	}
	if x.Answer, err = a.answer(reply); err != nil {
		return nil, err
	}
	x.Paths = append(x.Paths, a.paths(slices.Concat(x.Answer.Records, x.Answer.Additional))...)
	return x, nil
}
