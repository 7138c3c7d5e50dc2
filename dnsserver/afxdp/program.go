package afxdp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Where things stand in a packet (RFC 894, 791, 8200, 768). IPv4 without
// options and IPv6 without extensions are all that is taken.
const (
	etherLen = 14
	ipv4Len  = 20
	ipv6Len  = 40
	udpLen   = 8

	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	protoUDP  = 17
)

// The results of an XDP program (linux/bpf.h).
const xdpPass = 2

// keyLen is the length of a key of the map of addresses: the address as IPv6's,
// the port, and zeroes.
const keyLen = 20

// key is that of an address.
func key(a netip.AddrPort) (k [keyLen]byte) {
	ip := a.Addr().As16()
	copy(k[:], ip[:])
	binary.BigEndian.PutUint16(k[16:], a.Port())
	return k
}

// instructions of the program that the kernel runs for each packet that comes in:
// what is UDP for one of the addresses goes to the socket of the queue it came
// by, if that has one, and all else where it would have gone without the program.
// So do fragments, what is for another station than ours or for many, and what
// has a VLAN's tag.
func instructions(station [6]byte, addrs, sockets *ebpf.Map) asm.Instructions {
	const (
		ctx, data, end = asm.R6, asm.R2, asm.R3
		k              = -24 // of the stack: the key
		pass           = "pass"
	)
	// struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index.
	return asm.Instructions{
		asm.Mov.Reg(ctx, asm.R1),
		asm.LoadMem(data, ctx, 0, asm.Word),
		asm.LoadMem(end, ctx, 4, asm.Word),
		asm.Mov.Imm(asm.R4, 0),
		asm.StoreMem(asm.RFP, k, asm.R4, asm.DWord),
		asm.StoreMem(asm.RFP, k+8, asm.R4, asm.DWord),
		asm.StoreMem(asm.RFP, k+16, asm.R4, asm.DWord),

		asm.Mov.Reg(asm.R4, data),
		asm.Add.Imm(asm.R4, etherLen+ipv4Len+udpLen),
		asm.JGT.Reg(asm.R4, end, pass),
		// To others it may come where a switch does not know better.
		asm.LoadMem(asm.R4, data, 0, asm.Word),
		asm.LoadImm(asm.R5, int64(binary.NativeEndian.Uint32(station[:])), asm.DWord),
		asm.JNE.Reg(asm.R4, asm.R5, pass),
		asm.LoadMem(asm.R4, data, 4, asm.Half),
		asm.JNE.Imm(asm.R4, int32(binary.NativeEndian.Uint16(station[4:])), pass),
		asm.LoadMem(asm.R4, data, 12, asm.Half),
		asm.JEq.Imm(asm.R4, net16(etherIPv6), "v6"),
		asm.JNE.Imm(asm.R4, net16(etherIPv4), pass),

		asm.LoadMem(asm.R4, data, etherLen, asm.Byte),
		asm.JNE.Imm(asm.R4, 0x45, pass), // has options
		asm.LoadMem(asm.R4, data, etherLen+6, asm.Half),
		asm.And.Imm(asm.R4, net16(0x3fff)), // more fragments, and where this one belongs
		asm.JNE.Imm(asm.R4, 0, pass),
		asm.LoadMem(asm.R4, data, etherLen+9, asm.Byte),
		asm.JNE.Imm(asm.R4, protoUDP, pass),
		asm.StoreImm(asm.RFP, k+10, 0xffff, asm.Half), // IPv4's among IPv6's addresses
		asm.LoadMem(asm.R4, data, etherLen+16, asm.Word),
		asm.StoreMem(asm.RFP, k+12, asm.R4, asm.Word),
		asm.LoadMem(asm.R4, data, etherLen+ipv4Len+2, asm.Half),
		asm.StoreMem(asm.RFP, k+16, asm.R4, asm.Half),
		asm.Ja.Label("find"),

		asm.Mov.Reg(asm.R4, data).WithSymbol("v6"),
		asm.Add.Imm(asm.R4, etherLen+ipv6Len+udpLen),
		asm.JGT.Reg(asm.R4, end, pass),
		asm.LoadMem(asm.R4, data, etherLen+6, asm.Byte),
		asm.JNE.Imm(asm.R4, protoUDP, pass),
		asm.LoadMem(asm.R4, data, etherLen+24, asm.Word),
		asm.StoreMem(asm.RFP, k, asm.R4, asm.Word),
		asm.LoadMem(asm.R4, data, etherLen+28, asm.Word),
		asm.StoreMem(asm.RFP, k+4, asm.R4, asm.Word),
		asm.LoadMem(asm.R4, data, etherLen+32, asm.Word),
		asm.StoreMem(asm.RFP, k+8, asm.R4, asm.Word),
		asm.LoadMem(asm.R4, data, etherLen+36, asm.Word),
		asm.StoreMem(asm.RFP, k+12, asm.R4, asm.Word),
		asm.LoadMem(asm.R4, data, etherLen+ipv6Len+2, asm.Half),
		asm.StoreMem(asm.RFP, k+16, asm.R4, asm.Half),

		asm.LoadMapPtr(asm.R1, addrs.FD()).WithSymbol("find"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, k),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, pass),
		asm.LoadMapPtr(asm.R1, sockets.FD()),
		asm.LoadMem(asm.R2, ctx, 16, asm.Word),
		asm.Mov.Imm(asm.R3, xdpPass), // where the queue has no socket
		asm.FnRedirectMap.Call(),
		asm.Return(),

		asm.Mov.Imm(asm.R0, xdpPass).WithSymbol(pass),
		asm.Return(),
	}
}

// net16 is a number as the processor loads it from a packet.
func net16(n uint16) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return int32(binary.NativeEndian.Uint16(b[:]))
}

// load gives the kernel the program and its maps.
func load(station [6]byte, addrs []netip.AddrPort, queues int) (prog *ebpf.Program, sockets *ebpf.Map, err error) {
	served, err := ebpf.NewMap(&ebpf.MapSpec{Name: "gslb_addrs", Type: ebpf.Hash, KeySize: keyLen, ValueSize: 1, MaxEntries: uint32(max(len(addrs), 1))})
	if err != nil {
		return nil, nil, err
	}
	defer served.Close() // the program has it
	for _, a := range addrs {
		if err := served.Put(key(a), byte(1)); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", a, err)
		}
	}
	sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "gslb_sockets", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if err != nil {
		return nil, nil, err
	}
	prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "gslb_dns", Type: ebpf.XDP, Instructions: instructions(station, served, sockets), License: "Apache-2.0"})
	if err != nil {
		_ = sockets.Close()
		return nil, nil, err
	}
	return prog, sockets, nil
}
