package lab

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"gslb/topology"
)

// speak is what a real server says to a client that waits for it to begin: a
// mail server's part of a conversation without mail, or an agent's line.
func speak(c net.Conn, check topology.CheckType) {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if check == topology.CheckAgent {
		_, _ = io.WriteString(c, "ready up 100%\n")
		return
	}
	fmt.Fprint(c, "220 lab\r\n")
	for in := bufio.NewReader(c); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch word {
		case "EHLO":
			fmt.Fprint(c, "250-lab\r\n250 STARTTLS\r\n")
		case "HELO":
			fmt.Fprint(c, "250 lab\r\n")
		case "STARTTLS":
			fmt.Fprint(c, "220 go ahead\r\n")
			c = tls.Server(c, labTLS())
			in = bufio.NewReader(c)
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "502 not here\r\n")
		}
	}
}

// serving answers grpc.health.v1.Health/Check: SERVING, for every service.
func serving(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, 1}) // a message of two bytes: field 1, value 1
	w.Header().Set("Grpc-Status", "0")
}

// resolved answers a DNS query with NOERROR and no record, and says whether a
// datagram is one: a header with one question and no answer (RFC 1035, section
// 4.1.1), and more than it. What has no header is a word of the lab's own clients.
func resolved(query []byte) (reply []byte, ok bool) {
	const header = 12
	if len(query) < header+5 || query[2]&0xf8 != 0 || query[4] != 0 || query[5] != 1 || query[6] != 0 || query[7] != 0 {
		return nil, false
	}
	end := header
	for query[end] != 0 { // labels of the name
		end += int(query[end]) + 1
		if end+5 > len(query) {
			return nil, false
		}
	}
	reply = append([]byte{}, query[:end+5]...)
	reply[2] = 0x84 | query[2]&1 // an authoritative answer, recursion as it was desired
	reply[3], reply[8], reply[9], reply[10], reply[11] = 0, 0, 0, 0, 0
	return reply, true
}
