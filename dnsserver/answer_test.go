package dnsserver

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/txtar"
)

// The stories are sections of an archive: a sentence as the name; a question
// "; name type [words]", where the words are edns, edns=SIZE, do, cd, rd, tcp,
// class=X, u=NUMBER, nsid, keepalive, cookie=HEX, subnet=PREFIX, option=CODE:HEX;
// and the reply in zone-file text. UPDATE=1 rewrites them.
func TestAnswers(t *testing.T) {
	const path = "testdata/answers.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := table(t)
	for i, story := range archive.Files {
		t.Run(story.Name, func(t *testing.T) {
			question, _, _ := strings.Cut(string(story.Data), "\n")
			packet, via, u := ask(t, question)
			var w Worker
			reply := w.Reply(nil, table, named, Request{Packet: packet, Via: via, U: u, From: netip.MustParseAddr("198.51.100.100"), Now: 1559731985, Idle: 10 * time.Second})
			got := question + "\n" + show(t, reply) + "\n"
			if os.Getenv("UPDATE") != "" {
				archive.Files[i].Data = []byte(got)
				return
			}
			if diff := cmp.Diff(string(story.Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// named is a server that tells what it is asked, with the secret of RFC 9018's appendix A.
var named = &Options{Node: "node-1", Cookies: secrets("e5e973e5a6b2a43f48e7dc849e37bfcf")}

func secrets(text string) []Secret {
	list, err := ParseSecrets(text)
	if err != nil {
		panic(err)
	}
	return list
}

// ask makes the message of a story's question.
func ask(t *testing.T, line string) ([]byte, Transport, uint64) {
	t.Helper()
	words := strings.Fields(strings.TrimPrefix(line, ";"))
	if len(words) < 2 {
		t.Fatalf("%q is no question", line)
	}
	typ, ok := dns.StringToType[words[1]]
	if !ok {
		if _, err := fmt.Sscanf(words[1], "TYPE%d", &typ); err != nil {
			t.Fatalf("%q is no type", words[1])
		}
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(words[0]), typ)
	m.Id, m.RecursionDesired = 4711, false
	via, u := UDP, uint64(0)
	size, edns, do := uint16(1232), false, false
	var options []dns.EDNS0
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		var n uint64
		if value != "" {
			_, _ = fmt.Sscan(value, &n)
		}
		switch name {
		case "edns":
			edns = true
			if n != 0 {
				size = uint16(n)
			}
		case "do":
			edns, do = true, true
		case "nsid":
			options = append(options, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
		case "keepalive":
			options = append(options, &dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE})
		case "cookie":
			options = append(options, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: value})
		case "subnet":
			p := netip.MustParsePrefix(value)
			family := uint16(1)
			if p.Addr().Is6() {
				family = 2
			}
			options = append(options, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice()})
		case "option":
			code, data, _ := strings.Cut(value, ":")
			var option dns.EDNS0_LOCAL
			if _, err := fmt.Sscan(code, &option.Code); err != nil {
				t.Fatal(err)
			}
			option.Data, _ = hex.DecodeString(data)
			options = append(options, &option)
		case "cd":
			m.CheckingDisabled = true
		case "rd":
			m.RecursionDesired = true
		case "tcp":
			via = TCP
		case "class":
			m.Question[0].Qclass = dns.StringToClass[value]
		case "u":
			u = n
		default:
			t.Fatalf("%q means nothing here", word)
		}
	}
	if edns || options != nil {
		m.SetEdns0(size, do)
		m.IsEdns0().Option = options
	}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet, via, u
}

// show is a reply as text.
func show(t testing.TB, reply []byte) string {
	t.Helper()
	if reply == nil {
		return "silence"
	}
	var m dns.Msg
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("reply %x: %v", reply, err)
	}
	var b strings.Builder
	rcode := dns.RcodeToString[m.Rcode]
	if m.Rcode == dns.RcodeBadVers {
		rcode = "BADVERS" // which the library calls by TSIG's name
	}
	b.WriteString(rcode)
	for _, f := range []struct {
		set  bool
		name string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"}, {m.RecursionAvailable, "ra"}, {m.CheckingDisabled, "cd"}, {m.Zero, "z"}, {m.AuthenticatedData, "ad"}} {
		if f.set {
			b.WriteString(" " + f.name)
		}
	}
	for _, q := range m.Question {
		fmt.Fprintf(&b, "\n? %s %s %s", q.Name, dns.Class(q.Qclass), dns.Type(q.Qtype))
	}
	for _, s := range []struct {
		mark    string
		records []dns.RR
	}{{"answer", m.Answer}, {"authority", m.Ns}, {"additional", m.Extra}} {
		if len(s.records) > 4 {
			fmt.Fprintf(&b, "\n%s: %d records", s.mark, len(s.records))
			continue
		}
		for _, r := range s.records {
			if opt, ok := r.(*dns.OPT); ok {
				fmt.Fprintf(&b, "\nopt: version %d size %d do %v", opt.Version(), opt.UDPSize(), opt.Do())
				for _, option := range opt.Option {
					fmt.Fprintf(&b, "\n%s", showOption(option))
				}
				continue
			}
			fmt.Fprintf(&b, "\n%s: %s", s.mark, strings.ReplaceAll(r.String(), "\t", " "))
		}
	}
	return b.String()
}

func showOption(option dns.EDNS0) string {
	switch o := option.(type) {
	case *dns.EDNS0_SUBNET:
		return fmt.Sprintf("subnet: family %d %s/%d scope %d", o.Family, o.Address, o.SourceNetmask, o.SourceScope)
	case *dns.EDNS0_COOKIE:
		return "cookie: " + o.Cookie
	case *dns.EDNS0_NSID:
		text, _ := hex.DecodeString(o.Nsid)
		return "nsid: " + string(text)
	case *dns.EDNS0_TCP_KEEPALIVE:
		return fmt.Sprintf("keepalive: %d00 ms", o.Timeout)
	case *dns.EDNS0_EDE:
		return strings.TrimSpace(fmt.Sprintf("ede: %d %s", o.InfoCode, o.ExtraText))
	}
	return fmt.Sprintf("option %d: %v", option.Option(), option)
}
