package dnsserver

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// Our reading of a query and the library's are the same, but where ours is
// stricter on purpose or the library looks into what does not concern us.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"0102 0000 0001 0000 0000 0000" + mail, "0102 0110 0001 0000 0000 0001" + mail + opt, "0102 0000 0001 0000 0000 0002" + mail + opt + opt,
		"0102 0000 0001 0000 0000 0002" + mail + opt + record, "0102 0000 0001 ffff ffff ffff" + mail, "0102 0000 0001 0001 0000 0000" + mail + opt,
		"0102 0000 0001 0000 0000 0001" + mail + optV1, "0102 0000 0001 0000 0000 0001" + mail + optNSID, "0102 0000 0001 0000 0000 0000" + mail + "00",
		"0102 0000 0001 0000 0000 0000 c00c 0001 0001", "0102 0000 0002 0000 0000 0000" + mail + mail,
	} {
		packet, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	for _, packet := range common(f) {
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		var q query
		if !q.parse(packet) || q.opcode != dns.OpcodeQuery || q.questions != 1 {
			return
		}
		var m dns.Msg
		err := m.Unpack(packet)
		if q.fault != "" {
			if why := stricter(&q, packet, &m); err == nil && !why {
				t.Fatalf("%q, but the library reads\n%v", q.fault, &m)
			}
			return
		}
		if err != nil {
			// What is not read here may be anything there: without it the
			// message must be fine.
			if err = m.Unpack(bare(&q, packet)); err != nil {
				t.Fatalf("the library: %v", err)
			}
		}
		var opt *dns.OPT
		for _, r := range m.Extra {
			if o, ok := r.(*dns.OPT); ok {
				opt = o
			}
		}
		name, _, err := dns.UnpackDomainName(q.question, 0)
		if err != nil {
			t.Fatal(err)
		}
		type reading struct {
			ID       uint16
			RD, CD   bool
			Question dns.Question
			OPT, DO  bool
			Size     uint16
			Version  uint8
			Subnet   string
			Cookie   string
			NSID     bool
		}
		ours := reading{ID: q.id, RD: q.rd, CD: q.cd, Question: dns.Question{Name: name, Qtype: q.typ, Qclass: q.class}, OPT: q.present, DO: q.do, Size: uint16(q.size), Version: q.version,
			Subnet: prefixText(&q.subnet), Cookie: hex.EncodeToString(q.cookie), NSID: q.nsid}
		theirs := reading{ID: m.Id, RD: m.RecursionDesired, CD: m.CheckingDisabled, Question: m.Question[0], Size: dns.MinMsgSize}
		if opt != nil {
			theirs.OPT, theirs.DO, theirs.Version, theirs.Size = true, opt.Do(), opt.Version(), max(opt.UDPSize(), dns.MinMsgSize)
			options := opt.Option
			if theirs.Version > 0 {
				options = nil
			}
			for i := len(options) - 1; i >= 0; i-- { // the first of a kind counts
				switch o := options[i].(type) {
				case *dns.EDNS0_SUBNET:
					if theirs.Subnet = ""; o.SourceNetmask > 0 {
						addr, _ := netip.AddrFromSlice(o.Address)
						if o.Family == 1 {
							addr = addr.Unmap()
						}
						theirs.Subnet = netip.PrefixFrom(addr, int(o.SourceNetmask)).String()
					}
				case *dns.EDNS0_COOKIE:
					theirs.Cookie = o.Cookie
				case *dns.EDNS0_NSID:
					theirs.NSID = true
				}
			}
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("(-library +ours)\n%s", diff)
		}
	})
}

func prefixText(s *subnet) string {
	if p := s.prefix(); p.IsValid() {
		return p.String()
	}
	return ""
}

// stricter reports whether there is a reason why we refuse what the library
// may accept.
func stricter(q *query, packet []byte, m *dns.Msg) bool {
	switch q.fault {
	case "the message is cut short":
		// The library takes the counts of records for a hint and a question
		// without type and class for one.
		told := 0
		for _, at := range []int{6, 8, 10} {
			told += int(binary.BigEndian.Uint16(packet[at:]))
		}
		return !q.asked || told > len(m.Answer)+len(m.Ns)+len(m.Extra)
	case "more than one OPT", "OPT at the wrong place":
		n := 0
		for _, r := range append(append(m.Answer, m.Ns...), m.Extra...) {
			if r.Header().Rrtype == dns.TypeOPT {
				n++
			}
		}
		return n > 1 || m.IsEdns0() == nil || m.IsEdns0().Hdr.Name != "."
	case "the question's name is compressed":
		return packet[headerLen] != 0 && bytes.ContainsFunc(packet[headerLen:], func(r rune) bool { return r >= 0xc0 || r == 0xfffd })
	case "bytes after the message":
		return true
	}
	// RFC 7871, section 7.1.2, and RFC 7873, section 5.2.2: the library reads,
	// but does not judge, these two.
	return strings.HasPrefix(q.fault, "client subnet: ") || strings.HasPrefix(q.fault, "a cookie has")
}

// bare is the message as far as it is read here: the question and an OPT
// record with the options that are known.
func bare(q *query, packet []byte) []byte {
	out := append([]byte(nil), packet[:headerLen+len(q.question)]...)
	clear(out[6:12])
	if !q.present {
		return out
	}
	out[11] = 1
	out = append(out, 0, 0, byte(dns.TypeOPT))
	out = binary.BigEndian.AppendUint16(out, uint16(q.size))
	out = append(out, 0, q.version, bit(q.do)<<7, 0, 0, 0)
	from := len(out)
	if q.subnet.asked {
		out = option(out, dns.EDNS0SUBNET, 4+len(q.subnet.addr))
		out = append(append(binary.BigEndian.AppendUint16(out, q.subnet.family), q.subnet.source, 0), q.subnet.addr...)
	}
	if q.cookie != nil {
		out = append(option(out, dns.EDNS0COOKIE, len(q.cookie)), q.cookie...)
	}
	if q.nsid {
		out = option(out, dns.EDNS0NSID, 0)
	}
	binary.BigEndian.PutUint16(out[from-2:], uint16(len(out)-from))
	return out
}
