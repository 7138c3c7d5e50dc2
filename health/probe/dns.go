package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gslb/dnsserver/client"
)

// resolve asks the check's question over UDP, and again over TCP when the reply
// is truncated, as resolvers do (RFC 7766 section 5).
func resolve(ctx context.Context, p Probe) error {
	answer, err := question(ctx, p, "udp")
	if err == nil && answer.TC {
		answer, err = question(ctx, p, "tcp")
	}
	if err != nil {
		return cause(err)
	}
	want := p.Check.Rcodes
	if len(want) == 0 {
		want = []string{"NOERROR"}
	}
	if !slices.Contains(want, answer.Rcode) {
		return fmt.Errorf("rcode %s", answer.Rcode)
	}
	for _, data := range p.Check.Records {
		if !slices.ContainsFunc(answer.Records, func(r string) bool { return strings.EqualFold(rdata(r), strings.Join(strings.Fields(data), " ")) }) {
			return fmt.Errorf("no record %s in the answer, %d others", data, len(answer.Records))
		}
	}
	return nil
}

func question(ctx context.Context, p Probe, network string) (client.Answer, error) {
	conn, err := dial(ctx, p, network)
	if err != nil {
		return client.Answer{}, err
	}
	defer conn.Close()
	return client.Exchange(ctx, conn, network, p.Check.Query, p.Check.QueryType)
}

// rdata is a record's data in the text "owner TTL class type data".
func rdata(record string) string {
	fields := strings.Fields(record)
	return strings.Join(fields[min(4, len(fields)):], " ")
}
