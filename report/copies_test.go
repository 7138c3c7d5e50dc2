package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCopiesThatAreSealedAreOpened(t *testing.T) {
	want := []Copies{
		{Pair: "failover.front", Active: true, Connections: 1020, ID: 51, Sends: true, Takes: true, Heard: 1200 * time.Millisecond},
		{Pair: `failover.at["two words"]`, Connections: 1<<32 - 1, ID: 255, Takes: true, Heard: -1},
		{Pair: "failover.c", Sends: true},
		{Pair: "failover.d"},
	}
	d := SealCopies(keys[:1], `director.front["a"]`, epoch, want)
	if len(d) != 1 || !IsCopies(d[0]) || IsCopies(Seal(keys, "director.a", epoch, nil)[0]) {
		t.Fatalf("%q", d)
	}
	from, sent, got, err := OpenCopies(keys, d[0])
	if err != nil || from != `director.front["a"]` || !sent.Equal(epoch) {
		t.Errorf("from %s at %v, %v", from, sent, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := Open(keys, d[0]); err == nil {
		t.Error("it is taken for capacity")
	}
	var many []Copies
	for i := range 100 {
		many = append(many, Copies{Pair: fmt.Sprint("failover.", i)})
	}
	for _, d := range SealCopies(keys, "director.a", epoch, many) {
		if len(d) > MaxSize {
			t.Errorf("a datagram of %d bytes", len(d))
		}
	}
}

func TestBadCopies(t *testing.T) {
	for line, want := range map[string]string{
		"active 1 51 both never":                                   "breaks off",
		"active 1 51 both never ":                                  "breaks off",
		"asleep 1 51 both never failover.a":                        "no role",
		"active -1 51 both never failover.a":                       "no role",
		"active 4294967296 51 both never failover.a":               "no role",
		"active 1 256 both never failover.a":                       "no role",
		"active 1 51 all never failover.a":                         "its daemons",
		"active 1 51 both soon failover.a":                         "milliseconds",
		"active 1 51 both -1 failover.a":                           "milliseconds",
		"active 1 51 both 9223372036854775807 failover.a":          "milliseconds",
		"active 1 51 both 1 failover.a\nbackup 1 51 both 1 f\nx y": "breaks off",
	} {
		if _, _, list, err := OpenCopies(keys, sealed(copiesHead+"from a\nsent 1\n"+line+"\n")); err == nil || !strings.Contains(err.Error(), want) || list != nil {
			t.Errorf("%q: %v, %v, want %s", line, list, err, want)
		}
	}
}

func TestTold(t *testing.T) {
	var told Told
	member := func(from, pair string) bool { return from == "director.b" && pair == "failover.a" }
	take := func(name, from string, sent, now time.Duration, n uint32, want string) {
		t.Helper()
		err := told.Take(from, epoch.Add(sent), []Copies{{Pair: "failover.a", Connections: n}}, epoch.Add(now), member)
		if text := fmt.Sprint(err); !strings.Contains(text, want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if x := told.Of("director.b", "failover.a"); !x.At.IsZero() {
		t.Errorf("before anything was said it is %v", x)
	}
	take("the first", "director.b", 0, time.Second, 7, "nil")
	take("a repetition", "director.b", 0, 2*time.Second, 9, "not newer")
	take("one from long ago", "director.b", time.Second, 2*time.Minute, 9, "clock")
	take("a stranger", "director.c", time.Second, time.Second, 9, "not a member")
	if x := told.Of("director.b", "failover.a"); x.Connections != 7 || !x.At.Equal(epoch.Add(time.Second)) {
		t.Errorf("told is %v", x)
	}
	told.Forget(func(string, string) bool { return false })
	if x := told.Of("director.b", "failover.a"); !x.At.IsZero() {
		t.Errorf("after it was forgotten it is %v", x)
	}
}

func FuzzOpenCopies(f *testing.F) {
	f.Add([]byte("active 1020 51 both 1200 failover.front"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) > 500 {
			return
		}
		from, sent, list, err := OpenCopies(keys, sealed(copiesHead+"from a\nsent 1\n"+string(line)+"\n"))
		if err != nil {
			return
		}
		_, _, again, err := OpenCopies(keys, SealCopies(keys, from, sent, list)[0])
		if diff := cmp.Diff(list, again); err != nil || diff != "" {
			t.Errorf("sealed again %v (-want +got)\n%s", err, diff)
		}
	})
}
