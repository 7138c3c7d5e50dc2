package vrrp

import "fmt"

// A Reason is why a packet is not heard.
type Reason uint8

// The reasons, in the order in which a packet is looked at.
const (
	BadHops      Reason = iota + 1 // TTL or hop limit: it may come from another segment
	BadLength                      // too short, too long, or not what its counts say
	BadVersion                     // of another version, or no advertisement
	BadRouter                      // for another virtual router
	OwnAddress                     // from our own address: a loop, or the address is there twice
	UnknownPeer                    // from nobody who was named
	BadChecksum                    // damaged
	BadPassword                    // version 2's password or its kind
	Unsigned                       // without the authentication that is asked for
	UnwantedSeal                   // with authentication where there is no key
	UnknownKey                     // signed with a key that is not known
	BadHMAC                        // not signed by who has the key, or changed on the way
	Stale                          // the sender's clock is too far from ours
	Replayed                       // not newer than what its sender has said already
	BadInterval                    // an interval there is not, or for version 2 another than ours
	BadAddresses                   // none of our addresses in its list, or of another family
	reasons
)

var reasonWords = [...]string{
	"", "hops", "length", "version", "router", "own_address", "peer", "checksum", "password", "unsigned", "unwanted_hmac", "key", "hmac", "stale",
	"replayed", "interval", "addresses",
}

func (r Reason) String() string {
	if r > 0 && r < reasons {
		return reasonWords[r]
	}
	return fmt.Sprintf("reason %d", r)
}

// MarshalText gives the reason's word.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads it.
func (r *Reason) UnmarshalText(text []byte) error {
	for i, word := range reasonWords {
		if i > 0 && string(text) == word {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("there is no reason %q", text)
}

// Reasons lists all of them.
func Reasons() []Reason {
	var all []Reason
	for r := BadHops; r < reasons; r++ {
		all = append(all, r)
	}
	return all
}

// A Refusal is the error of a packet that is not heard.
type Refusal struct {
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(r Reason, format string, args ...any) error {
	return &Refusal{r, fmt.Sprintf(format, args...)}
}
