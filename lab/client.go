package lab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/rpc"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gslb/dnsserver/client"
	"gslb/topology"
)

// Users are the users of a region: a process in its client namespace that
// makes requests from the region's addresses. Its exported methods are called
// over its stdin and stdout.
type Users struct{}

// Requests asks for as many requests as there are From addresses, each from its own.
type Requests struct {
	Proto   topology.Proto
	To      netip.AddrPort
	From    []netip.Addr
	Timeout time.Duration // of each
	// Hold keeps every connection open until the last one is answered, so
	// that schedulers that count connections have something to count.
	Hold   bool
	Upload int // bytes sent with each, TCP only
	// Parallel bounds how many are under way at a time, 1 or more.
	Parallel int
}

// A Reply is what one request came to.
type Reply struct {
	From   netip.Addr
	Server netip.Addr     // that answered
	Client netip.AddrPort // that it saw
	// Segment is the largest TCP segment the server told the user to send it.
	Segment int
	Took    time.Duration
	Err     string // "" for an answer
}

// parallel is how many requests of a region's users are under way at a time:
// more would measure the machine, which may be slow.
const parallel = 16

// Traffic makes requests.
func (Users) Traffic(r Requests, replies *[]Reply) error {
	*replies = make([]Reply, len(r.From))
	release := make(chan struct{})
	slots := make(chan struct{}, max(r.Parallel, 1))
	var answered, ended sync.WaitGroup
	answered.Add(len(r.From))
	for i, from := range r.From {
		slots <- struct{}{}
		ended.Go(func() {
			reply := &(*replies)[i]
			reply.From = from
			begin := time.Now()
			conn, err := r.request(from, reply)
			reply.Took = time.Since(begin)
			if err != nil {
				reply.Err = lastCause(err)
			}
			<-slots
			answered.Done()
			if conn != nil {
				if r.Hold {
					<-release
				}
				conn.Close()
			}
		})
	}
	answered.Wait()
	close(release)
	ended.Wait()
	return nil
}

func (r Requests) request(from netip.Addr, reply *Reply) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	defer cancel()
	conn, err := dialFrom(ctx, r.Proto.String(), from, r.To)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return conn, err
	}
	var text []byte
	if r.Proto == topology.UDP {
		text = make([]byte, 2048)
		if _, err := conn.Write([]byte("who\n")); err != nil {
			return conn, err
		}
		n, err := conn.Read(text)
		if err != nil {
			return conn, err
		}
		text = text[:n]
	} else {
		body := bytes.NewReader(make([]byte, r.Upload))
		request, err := http.NewRequest(http.MethodPost, "http://"+r.To.String()+"/", body)
		if err != nil {
			return conn, err
		}
		if err := request.Write(conn); err != nil {
			return conn, err
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			return conn, err
		}
		defer answer.Body.Close() // ends with the connection
		if text, err = io.ReadAll(io.LimitReader(answer.Body, 2048)); err != nil {
			return conn, err
		}
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if reply.Segment, err = segment(tcp); err != nil {
			return conn, err
		}
	}
	reply.Server, reply.Client, err = parseAnswer(string(text))
	return conn, err
}

// segment is the size of TCP segments to the far end, with the 12 bytes that
// time stamps take of each (RFC 7323) when they are in use.
func segment(conn *net.TCPConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var info *unix.TCPInfo
	var infoErr error
	if err := raw.Control(func(fd uintptr) {
		info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil {
		return 0, err
	}
	if infoErr != nil {
		return 0, infoErr
	}
	size := int(info.Snd_mss)
	const timestamps = 1 // TCPI_OPT_TIMESTAMPS
	if info.Options&timestamps != 0 {
		size += 12
	}
	return size, nil
}

// Questions asks a nameserver the same question as often as there are From addresses.
type Questions struct {
	Network    string // udp or tcp
	Server     netip.AddrPort
	From       []netip.Addr
	Name, Type string
	Timeout    time.Duration
}

// A Response is what one question came to.
type Response struct {
	Rcode string
	Addrs []netip.Addr
	Hosts []string
	Err   string
}

// Ask asks questions.
func (Users) Ask(q Questions, responses *[]Response) error {
	*responses = make([]Response, len(q.From))
	slots := make(chan struct{}, parallel)
	var wait sync.WaitGroup
	for i, from := range q.From {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(context.Background(), q.Timeout)
			defer cancel()
			answer, err := client.Ask(ctx, q.Network, q.Server, from, q.Name, q.Type)
			(*responses)[i] = Response{Rcode: answer.Rcode, Addrs: answer.Addrs, Hosts: answer.Hosts}
			if err != nil {
				(*responses)[i].Err = lastCause(err)
			}
		})
	}
	wait.Wait()
	return nil
}

// lastCause is the innermost part of an error: the rest names what was asked for.
func lastCause(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}

// ServeUsers is the users' process: it does what it is asked on in until in ends.
func ServeUsers(in io.Reader, out io.Writer) error {
	server := rpc.NewServer()
	if err := server.Register(Users{}); err != nil {
		return err
	}
	server.ServeConn(pipe{in, out})
	return nil
}

type pipe struct {
	io.Reader
	io.Writer
}

func (pipe) Close() error { return nil }

// users are the users of a region, as the world holds them.
type users struct {
	rpc      *rpc.Client
	prefixes []netip.Prefix
}

// usersNice lets everybody else go first: the whole world has one processor
// when it is in a kernel of its own, and a check must not fail because users
// ask a lot.
const usersNice = 15

// startUsers starts the users of a region, with program gslb.
func (w *World) startUsers(gslb string, n *Node) (*users, error) {
	cmd := exec.Command(gslb, "lab", "users")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if _, err := w.startNice(n.ID, cmd, "", usersNice); err != nil {
		return nil, err
	}
	return &users{rpc: rpc.NewClient(duplex{out, in}), prefixes: n.Anywhere}, nil
}

type duplex struct {
	io.Reader
	io.WriteCloser
}

// from gives n source addresses for a destination, the first being number
// start: as many different ones as there are.
func (u *users) from(to netip.Addr, start, n int) []netip.Addr {
	for _, p := range u.prefixes {
		if p.Addr().Is6() != to.Is6() {
			continue
		}
		// Without the prefix's first two addresses and its last.
		usable := 1<<min(p.Addr().BitLen()-p.Bits(), 16) - 3
		out := make([]netip.Addr, n)
		base := p.Addr().As16()
		for i := range out {
			b := base
			k := 2 + (start+i)%usable
			b[15] += byte(k)
			b[14] += byte(k >> 8)
			a := netip.AddrFrom16(b)
			if p.Addr().Is4() {
				a = a.Unmap()
			}
			out[i] = a
		}
		return out
	}
	return nil
}

// call runs a method of a region's users, bounded by ctx.
func (u *users) call(ctx context.Context, method string, args, reply any) error {
	call := u.rpc.Go("Users."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return fmt.Errorf("the lab's users: %w", call.Error)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
