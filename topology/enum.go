package topology

import (
	"fmt"
	"strconv"
	"strings"
)

func utoa(n uint16) string { return strconv.Itoa(int(n)) }

// A Method is how a director forwards to its destinations.
type Method uint8

// The forwarding methods of Linux Virtual Server. The zero value is none.
const (
	NoMethod Method = iota
	NAT             // rewrites both directions; replies come back through the director
	TUN             // IP in IP; replies go straight to the client
	DR              // rewrites the MAC address only; replies go straight to the client
)

// A Proto is a transport protocol.
type Proto uint8

// The transport protocols of a service. The zero value is none.
const (
	NoProto Proto = iota
	TCP
	UDP
)

// A CheckType is what a check does to a destination.
type CheckType uint8

// The types of check. The zero value is none.
const (
	NoCheck    CheckType = iota
	CheckTCP             // connects
	CheckHTTP            // GET, status
	CheckHTTPS           // the same over TLS
	CheckTLS             // handshake
	CheckUDP             // sends, waits for a reply
	CheckDNS             // asks a question, over UDP and where the reply is cut over TCP
	CheckICMP            // echo request (ping)
	CheckGRPC            // grpc.health.v1.Health/Check
	CheckExec            // runs a program
	CheckSMTP            // greeting, EHLO, QUIT
	CheckFile            // looks at a file of the machine that checks
	CheckAgent           // connects and reads a line, in the protocol of HAProxy's agent-check
)

// Proto is the protocol whose ports the check looks at; none for a check that
// looks at no port.
func (c CheckType) Proto() Proto {
	switch c {
	case CheckTCP, CheckHTTP, CheckHTTPS, CheckTLS, CheckGRPC, CheckSMTP, CheckAgent:
		return TCP
	case CheckUDP, CheckDNS:
		return UDP
	}
	return NoProto
}

// Portless reports whether the port makes no difference to the check.
func (c CheckType) Portless() bool { return c == CheckICMP || c == CheckFile }

// CheckTypes are the types of check that a file may name.
func CheckTypes() []string { return append([]string(nil), checkTypes[1:]...) }

// A StepKind is what a policy step does.
type StepKind uint8

// The steps of a policy. The zero value is none.
const (
	NoStep     StepKind = iota
	StepHealth          // leaves out what is down
	StepWeight          // prefers places in proportion to their weights
	StepRotate          // starts at another place every time
	StepLimit           // cuts the list

	StepPrefixes // leaves the region whose prefixes have the client
	StepGeo      // leaves the region that the client belongs to, else the nearest
	StepASN      // leaves the region that serves the client's autonomous system
	StepNearest  // leaves the places that are nearest to the client
	StepFailover // leaves the first place
	StepSticky   // prefers the same places for the same client
	StepPolicy   // the steps of another policy
)

var (
	methods    = []string{"none", "nat", "tun", "dr"}
	protos     = []string{"none", "tcp", "udp"}
	checkTypes = []string{"none", "tcp", "http", "https", "tls", "udp", "dns", "icmp", "grpc", "exec", "smtp", "file", "agent"}
	stepKinds  = []string{"none", "health", "weight", "rotate", "limit", "prefixes", "geo", "asn", "nearest", "failover", "sticky", "policy"}
)

func (m Method) String() string    { return word(methods, int(m)) }
func (p Proto) String() string     { return word(protos, int(p)) }
func (c CheckType) String() string { return word(checkTypes, int(c)) }
func (k StepKind) String() string  { return word(stepKinds, int(k)) }

// ParseMethod reads "nat", "tun" or "dr".
func ParseMethod(s string) (Method, error) {
	i, err := index(methods, s)
	return Method(i), err
}

// ParseProto reads "tcp" or "udp".
func ParseProto(s string) (Proto, error) {
	i, err := index(protos, s)
	return Proto(i), err
}

// ParseCheckType reads "tcp", "http", "https", "tls", "udp", "dns", "icmp",
// "grpc", "exec", "smtp", "file" or "agent".
func ParseCheckType(s string) (CheckType, error) {
	i, err := index(checkTypes, s)
	return CheckType(i), err
}

// ParseStepKind reads "health", "weight", "geo" and the like.
func ParseStepKind(s string) (StepKind, error) {
	i, err := index(stepKinds, s)
	return StepKind(i), err
}

func word(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return "invalid"
}

func index(words []string, s string) (int, error) {
	for i, w := range words[1:] {
		if w == s {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("%q is none of %s", s, strings.Join(words[1:], ", "))
}

// Schedulers are the IPVS schedulers a tier may name, in the kernel's words.
// Weighted says which of them honour weights, Hash which of them choose by
// the client's address and so need the fallback flag where a weight can be 0.
var Schedulers = []Scheduler{
	{Name: "rr"}, {Name: "wrr", Weighted: true},
	{Name: "lc"}, {Name: "wlc", Weighted: true},
	{Name: "sed", Weighted: true}, {Name: "nq", Weighted: true},
	{Name: "sh", Weighted: true, Hash: true}, {Name: "mh", Weighted: true, Hash: true},
	{Name: "fo", Weighted: true}, {Name: "ovf", Weighted: true},
	{Name: "lblc", Weighted: true}, {Name: "lblcr", Weighted: true}, {Name: "dh"},
	{Name: "twos", Weighted: true},
}

// A Scheduler is an IPVS scheduler's nature.
type Scheduler struct {
	Name     string
	Weighted bool
	Hash     bool
}

// SchedulerNamed returns the scheduler of that name.
func SchedulerNamed(name string) (Scheduler, bool) {
	for _, s := range Schedulers {
		if s.Name == name {
			return s, true
		}
	}
	return Scheduler{}, false
}
