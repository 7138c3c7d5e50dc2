package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"time"
)

// samples is how many answers of a server are checked before it is measured.
const samples = 1000

// verify checks answers of a server: each must be one of those that are right
// for its query, and together they must come as often as their weights say.
func (s *server) verify(w world, queries []query) error {
	got := make([]int, max(w.targets, 1))
	step := max(len(queries)/samples, 1)
	for i := range samples {
		if err := s.ask(queries[i*step%len(queries)], got); err != nil {
			return err
		}
	}
	if w.targets == 0 {
		return nil
	}
	total := 0
	for i := range got {
		total += weight(i)
	}
	for i, n := range got {
		expect := float64(samples*weight(i)) / float64(total)
		if math.Abs(float64(n)-expect) > 5*math.Sqrt(expect)+3 {
			return fmt.Errorf("%s: of %d answers target %d of weight %d got %d, which is far from %.0f", s.label, samples, i, weight(i), n, expect)
		}
	}
	return nil
}

// ask asks once and checks the reply; got counts which of the right answers came.
func (s *server) ask(q query, got []int) error {
	conn, err := net.DialUDP("udp4", nil, s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	packet := slices.Clone(q.packet)
	binary.BigEndian.PutUint16(packet, 0x4711)
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	reply := make([]byte, room)
	n, err := conn.Read(reply)
	if err != nil {
		return err
	}
	addrs, err := answers(packet, reply[:n])
	if err != nil {
		return fmt.Errorf("%s: reply %x to %x: %w", s.label, reply[:n], packet, err)
	}
	if len(addrs) != 1 || !slices.Contains(q.want, addrs[0]) {
		return fmt.Errorf("%s: answers %v to %x, want one of %v", s.label, addrs, packet, q.want)
	}
	if i := slices.Index(q.want, addrs[0]); i < len(got) {
		got[i]++
	}
	return nil
}

// answers reads the addresses in the answer section, which must be of the name asked for.
func answers(query, reply []byte) ([]netip.Addr, error) {
	question := 12
	for query[question] != 0 {
		question += int(query[question]) + 1
	}
	question += 5
	if len(reply) < question || reply[0] != query[0] || reply[1] != query[1] || string(reply[12:question]) != string(query[12:question]) {
		return nil, errors.New("not to this query")
	}
	if reply[2]&0x84 != 0x84 || reply[3]&0xf != 0 {
		return nil, errors.New("no authoritative answer")
	}
	at := question
	var addrs []netip.Addr
	for range binary.BigEndian.Uint16(reply[6:]) {
		// The owner: a pointer to the question or, of servers that do not
		// compress what is short, the name again.
		switch name := query[12 : question-4]; {
		case bytes.HasPrefix(reply[at:], []byte{0xc0, 12}):
			at += 2
		case bytes.HasPrefix(reply[at:], name):
			at += len(name)
		default:
			return nil, errors.New("an answer for another name")
		}
		if at+10 > len(reply) {
			return nil, errors.New("cut short")
		}
		if string(reply[at:at+4]) != string(query[question-4:question]) {
			return nil, errors.New("another type")
		}
		length := int(binary.BigEndian.Uint16(reply[at+8:]))
		at += 10
		addr, ok := netip.AddrFromSlice(reply[at:min(at+length, len(reply))])
		if !ok {
			return nil, errors.New("no address")
		}
		addrs = append(addrs, addr)
		at += length
	}
	return addrs, nil
}
