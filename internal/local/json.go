package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
)

// A Refusal is the reply to a request that is not done.
type Refusal struct {
	FormatVersion int    `json:"format_version"`
	Error         string `json:"error"`
}

// Refuse makes a refusal.
func Refuse(format string, args ...any) Refusal { return Refusal{1, fmt.Sprintf(format, args...)} }

// Marshal makes the text of a reply.
func Marshal(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("local: " + err.Error()) // there is nothing in replies that has no JSON
	}
	return append(data, '\n')
}

// Exchange takes a request as JSON apart, hands it on as one of the calls of a
// daemon, called so in refusals, and returns the text of the reply.
func Exchange[Request, Call any](ctx context.Context, daemon string, data []byte, calls chan<- Call, call func(Request, chan<- any) Call) []byte {
	var head struct {
		FormatVersion int `json:"format_version"`
	}
	err := json.Unmarshal(data, &head)
	if err == nil && head.FormatVersion != 1 {
		return Marshal(Refuse("the request has format version %d; %s reads 1", head.FormatVersion, daemon))
	}
	var r Request
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return Marshal(Refuse("read the request: %v", err))
	}
	reply := make(chan any, 1)
	select {
	case calls <- call(r, reply):
	case <-ctx.Done():
		return Marshal(Refuse("%s is busy or stopping", daemon))
	}
	select {
	case out := <-reply:
		return Marshal(out)
	case <-ctx.Done():
		return Marshal(Refuse("%s does not get to it, or its disk hangs", daemon))
	}
}

// PutAside renames a file that is of no use, and says what it is called now.
func PutAside(path string) string {
	bad := path + ".bad"
	if err := os.Rename(path, bad); err != nil {
		return err.Error()
	}
	return bad
}

// String is a user for logs and people.
func (p Peer) String() string {
	id := strconv.FormatUint(uint64(p.UID), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username + " (uid " + id + ")"
	}
	return "uid " + id
}

// AskDaemon sends a request as JSON to a daemon, called so in errors, and
// returns the reply unless that is a [Refusal], which is the error then.
func AskDaemon(ctx context.Context, socket, daemon string, request any) ([]byte, error) {
	data, err := Ask(ctx, socket, Marshal(request))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: no %s listens there; it does with --state or --socket, and this command looks elsewhere with --socket", err, daemon)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: only root and the user of %s may", err, daemon)
	case err != nil:
		return nil, err
	}
	var no Refusal
	if err := json.Unmarshal(data, &no); err != nil {
		return nil, fmt.Errorf("read the reply: %w", err)
	}
	if no.Error != "" {
		return nil, errors.New(no.Error)
	}
	return data, nil
}
