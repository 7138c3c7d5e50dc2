package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gslb/health"
)

// maxAdvice bounds, in bytes, what is read of an agent's line.
const maxAdvice = 1024

// consult connects to an agent, sends what the check sends and reads one line,
// in the protocol of HAProxy's agent-check. What the agent advises is returned
// also where the error says that it calls its machine down.
func consult(ctx context.Context, p Probe) (health.Advice, error) {
	conn, err := open(ctx, p, "tcp")
	if err != nil {
		return health.Advice{}, err
	}
	defer conn.Close()
	if p.Check.Send != "" {
		if _, err := io.WriteString(conn, p.Check.Send); err != nil {
			return health.Advice{}, cause(err)
		}
	}
	buf, n := make([]byte, maxAdvice), 0
	for !bytes.ContainsAny(buf[:n], "\r\n") {
		if n == maxAdvice {
			return health.Advice{}, fmt.Errorf("the agent's line is longer than %d bytes: %s", maxAdvice, excerpt(buf))
		}
		more, err := conn.Read(buf[n:])
		n += more
		if errors.Is(err, io.EOF) && n > 0 { // the line ends with the connection too
			break
		}
		if errors.Is(err, io.EOF) {
			return health.Advice{}, errors.New("closed without a line")
		}
		if err != nil {
			return health.Advice{}, cause(err)
		}
	}
	advice, err := health.ParseAdvice(string(buf[:n]))
	switch {
	case err != nil:
		return health.Advice{}, err
	case advice.Told && advice.Stopped:
		return advice, fmt.Errorf("the agent says that it is down%s", because(advice))
	case advice.Ruled && advice.Mode == health.Disabled:
		return advice, fmt.Errorf("the agent says that it is being worked on%s", because(advice))
	}
	return advice, nil
}

func because(a health.Advice) string {
	if a.Reason == "" {
		return ""
	}
	return ": " + a.Reason
}
