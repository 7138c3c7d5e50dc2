package dnsserver

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// troubleEvery is how often trouble of one kind is told of.
const troubleEvery = 10 * time.Second

// A trouble tells of connections that fail (RFC 9210, section 4.4), of each
// kind now and then: clients cause it, who could fill a disk with it.
type trouble struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

// A kind is what has become of connections.
type kind struct {
	told time.Time
	more int // since then
	from netip.Addr
	why  error
}

// note tells log, unless it is nil, that a connection of from, the zero Addr
// for nobody in particular, did what it says: at once, or together with others
// when troubleEvery is over.
func (t *trouble) note(log *slog.Logger, what string, from netip.Addr, why error) {
	if log == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[what]
	if k == nil {
		k = new(kind)
		if t.kinds == nil {
			t.kinds = map[string]*kind{}
		}
		t.kinds[what] = k
	}
	k.more++
	k.from, k.why = from, why
	if past := time.Since(k.told); past >= troubleEvery {
		k.tell(log, what)
	} else if k.more == 1 {
		time.AfterFunc(troubleEvery-past, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if k.more > 0 {
				k.tell(log, what)
			}
		})
	}
}

func (k *kind) tell(log *slog.Logger, what string) {
	attrs := []any{"reason", k.why}
	if k.from.IsValid() {
		attrs = append(attrs, "client", k.from)
	}
	if k.more > 1 {
		attrs = append(attrs, "connections", k.more)
	}
	log.Warn("connection "+what, attrs...)
	k.told, k.more = time.Now(), 0
}
