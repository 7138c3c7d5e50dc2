package dnsserver

// replyTo is a table's reply to a message from nobody in particular.
func replyTo(table *Table, packet []byte, via Transport, u uint64) []byte {
	var w Worker
	return w.Reply(nil, table, &Options{}, Request{Packet: packet, Via: via, U: u})
}
