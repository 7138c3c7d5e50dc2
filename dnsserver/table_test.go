package dnsserver

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// Messages byte by byte: header, question mail.example.org A, records.
const (
	mail    = "046d61696c076578616d706c65036f726700 0001 0001"
	opt     = "00 0029 04d0 00000000 0000"
	optV1   = "00 0029 04d0 00010000 0000"
	optNSID = "00 0029 04d0 00000000 0004 0003 0000"
	record  = "c00c 0001 0001 00000000 0004 c0000201"
)

func TestReplyToMessages(t *testing.T) {
	table := table(t)
	const yes = "answer: mail.example.org. 3600 IN A 192.0.2.25"
	const echo = "? mail.example.org. IN A"
	const ours = "opt: version 0 size 1232 do false"
	for name, c := range map[string]struct{ packet, want string }{
		"a query":                                       {"0102 0000 0001 0000 0000 0000" + mail, "NOERROR aa\n" + echo + "\n" + yes},
		"nothing":                                       {"", "silence"},
		"less than a header":                            {"0102 0000 0001 0000 0000 00", "silence"},
		"a reply":                                       {"0102 8000 0001 0000 0000 0000" + mail, "silence"},
		"a reply with an unknown opcode":                {"0102 f800 0001 0000 0000 0000" + mail, "silence"},
		"no question":                                   {"0102 0000 0000 0000 0000 0000", "FORMERR"},
		"no question, but EDNS":                         {"0102 0000 0000 0000 0000 0001" + opt, "FORMERR\n" + ours + "\nede: 0 a query has one question"},
		"two questions":                                 {"0102 0000 0002 0000 0000 0000" + mail + mail, "FORMERR"},
		"two questions and EDNS":                        {"0102 0000 0002 0000 0000 0001" + mail + mail + opt, "FORMERR\n" + ours + "\nede: 0 a query has one question"},
		"a question that is cut":                        {"0102 0000 0001 0000 0000 0000 046d61", "FORMERR"},
		"a question without a class":                    {"0102 0000 0001 0000 0000 0000 0000 01", "FORMERR"},
		"a question that points":                        {"0102 0000 0001 0000 0000 0000 c00c 0001 0001", "FORMERR"},
		"a label of an extended type":                   {"0102 0000 0001 0000 0000 0000 4100 0001 0001", "FORMERR"},
		"a name of 256 octets":                          {"0102 0000 0001 0000 0000 0000" + strings.Repeat("3f"+strings.Repeat("61", 63), 3) + "3e" + strings.Repeat("61", 62) + "00 0001 0001", "FORMERR"},
		"bytes after the end":                           {"0102 0000 0001 0000 0000 0000" + mail + "00", "FORMERR\n" + echo},
		"a record that is missing":                      {"0102 0000 0001 0000 0000 0001" + mail, "FORMERR\n" + echo},
		"a record longer than the message":              {"0102 0000 0001 0000 0000 0001" + mail + "00 0029 04d0 00000000 0001", "FORMERR\n" + echo},
		"counts that are lies":                          {"0102 0000 0001 ffff ffff ffff" + mail, "FORMERR\n" + echo},
		"EDNS":                                          {"0102 0000 0001 0000 0000 0001" + mail + opt, "NOERROR aa\n" + echo + "\n" + yes + "\n" + ours},
		"EDNS with an option that is unknown":           {"0102 0000 0001 0000 0000 0001" + mail + optNSID, "NOERROR aa\n" + echo + "\n" + yes + "\n" + ours},
		"EDNS with unknown flags":                       {"0102 0000 0001 0000 0000 0001" + mail + "00 0029 04d0 00007fff 0000", "NOERROR aa\n" + echo + "\n" + yes + "\n" + ours},
		"EDNS with an option that is cut":               {"0102 0000 0001 0000 0000 0001" + mail + "00 0029 04d0 00000000 0005 0003 0004 00", "FORMERR\n" + echo + "\n" + ours + "\nede: 0 an EDNS option is cut short"},
		"EDNS of version 1":                             {"0102 0000 0001 0000 0000 0001" + mail + optV1, "BADVERS\n" + echo + "\n" + ours},
		"EDNS of version 1 for a foreign name":          {"0102 0000 0001 0000 0000 0001 0000010001" + optV1, "BADVERS\n? . IN A\n" + ours},
		"EDNS twice":                                    {"0102 0000 0001 0000 0000 0002" + mail + opt + opt, "FORMERR\n" + echo + "\n" + ours + "\nede: 0 more than one OPT"},
		"EDNS before another record":                    {"0102 0000 0001 0000 0000 0002" + mail + opt + record, "NOERROR aa\n" + echo + "\n" + yes + "\n" + ours},
		"EDNS that is not the root's":                   {"0102 0000 0001 0000 0000 0001" + mail + "c00c" + opt[2:], "FORMERR\n" + echo + "\n" + ours + "\nede: 0 OPT at the wrong place"},
		"EDNS among the answers":                        {"0102 0000 0001 0001 0000 0000" + mail + opt, "FORMERR\n" + echo + "\n" + ours + "\nede: 0 OPT at the wrong place"},
		"opcode STATUS":                                 {"0102 1000 0001 0000 0000 0000" + mail, "NOTIMP"},
		"opcode IQUERY":                                 {"0102 0800 0001 0000 0000 0000" + mail, "NOTIMP"},
		"opcode 15, a header only":                      {"0102 7800 0000 0000 0000 0000", "NOTIMP"},
		"opcode 15 and a body nobody understands":       {"0102 7900 0001 0000 0000 0000 ffffffff", "NOTIMP rd"},
		"opcode 15 and EDNS, which there means nothing": {"0102 7800 0001 0000 0000 0001" + mail + opt, "NOTIMP"},
		"opcode DSO":                                    {"0102 3000 0000 0000 0000 0000", "NOTIMP"},
		"opcode STATUS with EDNS":                       {"0102 1000 0001 0000 0000 0001" + mail + opt, "NOTIMP\n" + ours},
		"EDNS of version 1 with options":                {"0102 0000 0001 0000 0000 0001" + mail + "00 0029 04d0 00010000 0005 0008 0004 00", "BADVERS\n" + echo + "\n" + ours},
		"EDNS before a record that is cut":              {"0102 0000 0001 0000 0000 0002" + mail + opt + "00", "FORMERR\n" + echo + "\n" + ours + "\nede: 0 the message is cut short"},
		"NOTIFY":                                        {"0102 2000 0001 0000 0000 0000" + mail, "NOTIMP"},
		"UPDATE":                                        {"0102 2800 0001 0000 0000 0000" + mail, "REFUSED"},
		"UPDATE with EDNS":                              {"0102 2800 0001 0000 0000 0001" + mail + opt, "REFUSED\n" + ours + "\nede: 21 zones are changed in the topology file"},
		"the flags of a reply in a query":               {"0102 0660 0001 0000 0000 0000" + mail, "NOERROR aa\n" + echo + "\n" + yes},
		"class NONE":                                    {"0102 0000 0001 0000 0000 0000 046d61696c076578616d706c65036f726700 0001 00fe", "REFUSED\n? mail.example.org. NONE A"},
		"a label of dots, spaces and zeros":             {"0102 0000 0001 0000 0000 0000 03 2e2000 076578616d706c65036f726700 0001 0001", "NXDOMAIN aa\n? \\.\\ \\000.example.org. IN A\nauthority: example.org. 30 IN SOA ns-a.example.org. hostmaster.example.org. 2026010100 7200 900 1209600 30"},
		"a label that looks like two that exist":        {"0102 0000 0001 0000 0000 0000 0c 6d61696c2e6578616d706c65 036f726700 0001 0001", "REFUSED\n? mail\\.example.org. IN A"},
	} {
		t.Run(name, func(t *testing.T) {
			packet, err := hex.DecodeString(strings.ReplaceAll(c.packet, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			reply := replyTo(table, packet, UDP, 0)
			if diff := cmp.Diff(c.want, show(t, reply)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if reply != nil && !bytes.Equal(packet[:2], reply[:2]) {
				t.Errorf("ID %x, want %x", reply[:2], packet[:2])
			}
			if reply != nil && packet[2]&0x78 != reply[2]&0x78 {
				t.Errorf("the opcode changed from %#x to %#x", packet[2]&0x78, reply[2]&0x78)
			}
		})
	}
}

// A message may ask for nothing but a cookie (RFC 7873, section 5.4).
func TestQuestionsForACookie(t *testing.T) {
	const first = "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
	const ours = "\nopt: version 0 size 1232 do false\ncookie: " + first
	for name, c := range map[string]struct {
		cookie string
		o      *Options
		want   string
	}{
		"a first one":                       {first[:16], named, "NOERROR" + ours},
		"one that is good":                  {first, named, "NOERROR" + ours},
		"one that is bad":                   {first[:47] + "1", named, "BADCOOKIE" + ours},
		"where there are no cookies":        {first[:16], &Options{}, "FORMERR\nopt: version 0 size 1232 do false\nede: 0 a query has one question"},
		"one of a length that there is not": {first[:18], named, "FORMERR\nopt: version 0 size 1232 do false\nede: 0 a cookie has 8 or 16 to 40 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			packet, _, _ := ask(t, "; . A cookie="+c.cookie)
			packet = append(packet[:headerLen:headerLen], packet[headerLen+5:]...)
			packet[5] = 0
			var w Worker
			reply := w.Reply(nil, table(t), c.o, Request{Packet: packet, From: netip.MustParseAddr("198.51.100.100"), Now: 1559731985})
			if diff := cmp.Diff(c.want, show(t, reply)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The longest name that a node can have fits a string of TXT, which is one byte
// more than one byte can count.
func TestTheLongestIdentity(t *testing.T) {
	node := strings.Repeat("n", 255)
	const question = "\n? id.server. CH TXT"
	answer := "\nanswer: id.server. 0 CH TXT \"" + node + "\""
	for line, want := range map[string]string{
		"; id.server TXT class=CH":                    "NOERROR aa" + question + answer,
		"; id.server TXT class=CH tcp":                "NOERROR aa" + question + answer,
		"; id.server TXT class=CH edns=1232 nsid":     "NOERROR aa" + question + answer + "\nopt: version 0 size 1232 do false\nnsid: " + node,
		"; id.server TXT class=CH edns=512 nsid":      "NOERROR aa tc" + question + "\nopt: version 0 size 1232 do false\nnsid: " + node,
		"; id.server TXT class=CH edns=512 nsid tcp":  "NOERROR aa" + question + answer + "\nopt: version 0 size 1232 do false\nnsid: " + node,
		"; mail.example.org TYPE15 edns=512 nsid tcp": "NOERROR aa\n? mail.example.org. IN MX\nauthority: example.org. 30 IN SOA ns-a.example.org. hostmaster.example.org. 2026010100 7200 900 1209600 30\nopt: version 0 size 1232 do false\nnsid: " + node,
	} {
		packet, via, _ := ask(t, line)
		var w Worker
		reply := w.Reply(nil, table(t), &Options{Node: node}, Request{Packet: packet, Via: via, From: netip.MustParseAddr("192.0.2.9")})
		if diff := cmp.Diff(want, show(t, reply)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", line, diff)
		}
		if strings.Contains(line, "512") && via == UDP && len(reply) > 512 {
			t.Errorf("%s: %d bytes", line, len(reply))
		}
	}
}

// Names are compressed where the same bytes stand already, and no name
// changes its case by it.
func TestCompression(t *testing.T) {
	packet, _, _ := ask(t, "; EXAMPLE.org NS")
	reply := replyTo(table(t), packet, UDP, 0)
	var m dns.Msg
	if err := m.Unpack(reply); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("ns-a.example.org.", m.Answer[0].(*dns.NS).Ns); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m.Compress = true
	theirs, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if len(reply) > len(theirs) {
		t.Errorf("%d bytes, %d are enough", len(reply), len(theirs))
	}
}

// Whatever comes in: no panic, and a reply that is one.
func FuzzReply(f *testing.F) {
	table := table(f)
	for _, s := range []string{
		"0102 0000 0001 0000 0000 0000" + mail, "0102 0000 0001 0000 0000 0001" + mail + opt, "0102 0000 0001 0000 0000 0002" + mail + opt + opt,
		"0102 0000 0001 ffff ffff ffff" + mail, "0102 7800 0000 0000 0000 0000", "0102 2800 0001 0000 0000 0001" + mail + optV1,
	} {
		packet, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet, uint64(0))
	}
	for _, name := range []string{"big", "x.wild", "alias2", "a.circle", "x.moved", "www.crowd", "www.child", "www.g", "far.example", "*.wild", "loop1", "up.up"} {
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeANY, dns.TypeNS, dns.TypeDS, dns.TypeCNAME, dns.TypeDNAME} {
			m := new(dns.Msg).SetQuestion(name+".example.org.", typ)
			m.SetEdns0(1232, true)
			packet, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packet, uint64(1)<<63)
		}
	}
	for _, packet := range common(f) {
		f.Add(packet, uint64(7))
	}
	var used Worker // what it did before must not show
	f.Fuzz(func(t *testing.T, packet []byte, u uint64) {
		for _, via := range []Transport{UDP, TCP} {
			r := Request{Packet: packet, Via: via, U: u, From: netip.MustParseAddr("198.51.100.100"), Now: 1559731985, Idle: patience}
			reply := used.Reply(nil, table, named, r)
			var fresh Worker
			if again := fresh.Reply(nil, table, named, r); !bytes.Equal(reply, again) {
				t.Fatalf("two workers: %x and %x", reply, again)
			}
			if reply == nil {
				if len(packet) >= headerLen && packet[2]&0x80 == 0 {
					t.Fatal("silence to a query")
				}
				continue
			}
			var q query
			q.parse(packet)
			limit := dns.MaxMsgSize
			if via == UDP {
				limit = max(dns.MinMsgSize, min(q.size, UDPSize))
			}
			if len(reply) > limit {
				t.Fatalf("%v reply of %d bytes, at most %d are allowed", via, len(reply), limit)
			}
			var m dns.Msg
			if err := m.Unpack(reply); err != nil {
				t.Fatalf("reply %x: %v", reply, err)
			}
			var again query
			if ok := again.parse(append([]byte{reply[0], reply[1], reply[2] &^ 0x80}, reply[3:]...)); !ok || m.Opcode == dns.OpcodeQuery && len(m.Question) > 0 && again.fault != "" {
				t.Fatalf("reply %x: %s", reply, again.fault)
			}
			if !m.Response || m.RecursionAvailable || m.Zero || m.AuthenticatedData {
				t.Fatalf("flags of the reply: %+v", m.MsgHdr)
			}
			if opt := m.IsEdns0(); q.opcode == dns.OpcodeQuery && q.present != (opt != nil) {
				t.Fatalf("OPT in the query: %v, in the reply %v", q.present, opt)
			}
			if q.fault == "" && q.opcode == dns.OpcodeQuery && q.version == 0 && (!bytes.Equal(again.subnet.addr, q.subnet.addr) || again.subnet.asked != q.subnet.asked || (again.cookie == nil) != (q.cookie == nil)) {
				t.Fatalf("options of the query %+v, of the reply %+v", q.edns, again.edns)
			}
			// Nothing is said twice, and sets are of one TTL.
			ttl := map[string]uint32{}
			seen := map[string]bool{}
			for _, r := range append(m.Answer, m.Ns...) {
				h := r.Header()
				set := strings.ToLower(h.Name) + dns.Type(h.Rrtype).String()
				if before, ok := ttl[set]; ok && before != h.Ttl {
					t.Fatalf("two TTLs in one set: %v", m.Answer)
				}
				ttl[set] = h.Ttl
				h.Name = strings.ToLower(h.Name)
				if seen[r.String()] {
					t.Fatalf("said twice: %v", r)
				}
				seen[r.String()] = true
			}
		}
	})
}
