package dnsserver

import (
	"gslb/steering"
	"gslb/topology"
)

// replyTo is a table's reply to a message from nobody in particular.
func replyTo(table *Table, packet []byte, via Transport, u uint64) []byte {
	var w Worker
	return w.Reply(nil, table, &Options{}, Request{Packet: packet, Via: via, U: u})
}

// unsteered is the steering of a topology where nothing is known of who is up.
func unsteered(topo *topology.Topology) *steering.Table {
	return steering.Compile(topo, steering.Inputs{})
}
