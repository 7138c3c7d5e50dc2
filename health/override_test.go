package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func override(object string, mode Mode, until time.Duration) Override {
	o := Override{Object: object, Mode: mode, Reason: "disk is full", Who: "uid 1000", Since: epoch}
	if until > 0 {
		o.Until = epoch.Add(until)
	}
	return o
}

func TestOverrides(t *testing.T) {
	var o Overrides
	for _, x := range []Override{override("region.us", Drained, time.Hour), override("region.eu", Disabled, 0), override("region.us", Disabled, 2*time.Hour)} {
		var err error
		if o, err = o.With(x); err != nil {
			t.Fatal(err)
		}
	}
	want := Overrides{override("region.eu", Disabled, 0), override("region.us", Disabled, 2*time.Hour)}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("the later word counts (-want +got)\n%s", diff)
	}
	got := fmt.Sprint(o.Mode("region.eu"), o.Mode("region.us"), o.Mode("region.asia"), o.Next().Sub(epoch))
	if diff := cmp.Diff("disabled disabled enabled 2h0m0s", got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if left, gone := o.Expire(epoch.Add(2*time.Hour - 1)); len(left) != 2 || len(gone) != 0 {
		t.Errorf("a moment before: left %v, gone %v", left, gone)
	}
	left, gone := o.Expire(epoch.Add(2 * time.Hour))
	if len(left) != 1 || len(gone) != 1 || gone[0].Object != "region.us" || !left.Next().IsZero() {
		t.Errorf("at that moment: left %v, gone %v", left, gone)
	}
	if without := o.Without("region.eu"); len(without) != 1 || len(o) != 2 {
		t.Errorf("without one %v, before %v", without, o)
	}
	back, err := ReadOverrides(o.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, back); diff != "" {
		t.Errorf("read back (-want +got)\n%s", diff)
	}
}

func TestBadOverridesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Override)
		want string
	}{
		"no object":                {func(o *Override) { o.Object = "" }, "object: empty"},
		"no mode":                  {func(o *Override) { o.Mode = Enabled }, "enabled is no override"},
		"a reason without end":     {func(o *Override) { o.Reason = strings.Repeat("x", 501) }, "501 bytes are more than 500"},
		"a reason of two lines":    {func(o *Override) { o.Reason = "a\nb" }, "no text"},
		"a reason that is no text": {func(o *Override) { o.Reason = "\xff" }, "no text"},
		"an end before it begins":  {func(o *Override) { o.Until = epoch }, "not after since"},
	} {
		x := override("region.eu", Disabled, 0)
		c.edit(&x)
		if _, err := (Overrides)(nil).With(x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct{ data, want string }{
		"torn":               {`{"format_version":1,"overrides":[{`, "unexpected end"},
		"of another version": {`{"format_version":3}`, "version 3"},
		"another mode":       {`{"format_version":1,"overrides":[{"object":"region.eu","mode":"enabled"}]}`, "number 1: mode"},
		"twice the same":     {`{"format_version":1,"overrides":[{"object":"a","mode":"drained"},{"object":"a","mode":"drained"}]}`, "number 2: a is there twice"},
	} {
		if _, err := ReadOverrides([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func FuzzReadOverrides(f *testing.F) {
	f.Add(Overrides{override("region.us", Drained, time.Hour)}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ReadOverrides(data)
		if err != nil {
			return
		}
		again, err := ReadOverrides(o.Encode())
		if err != nil || len(again) != len(o) {
			t.Fatalf("%v became %v, %v", o, again, err)
		}
	})
}
