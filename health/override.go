package health

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Mode is what an operator has made of an object.
type Mode uint8

// The modes, the stricter the later.
const (
	Enabled  Mode = iota // what the checks say
	Drained              // gets nobody new, and counts as alive
	Disabled             // counts as down
)

var modes = []string{"enabled", "drained", "disabled"}

func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return "invalid"
}

// ParseMode reads "drained" or "disabled"; what is enabled has no override.
func ParseMode(s string) (Mode, error) {
	if i := slices.Index(modes, s); i > 0 {
		return Mode(i), nil
	}
	return Enabled, fmt.Errorf("%q is none of %s", s, strings.Join(modes[1:], ", "))
}

// An Override is an operator's word on one object.
type Override struct {
	Object string // its address in the file
	Mode   Mode
	Reason string
	Who    string // who has said so: "uid 1000"
	Since  time.Time
	Until  time.Time // zero: until it is taken back
	// Deadline of a drain is when what still runs is ended; zero: it may take
	// as long as it does. A nameserver has nothing to end.
	Deadline time.Time
}

// Bounds of what is kept.
const (
	maxOverrides = 10_000
	maxText      = 500 // bytes of an object's address, a reason or a name
)

// Check says what is wrong with an override by itself.
func (o Override) Check() error {
	for _, text := range []struct{ name, value string }{{"object", o.Object}, {"reason", o.Reason}, {"who", o.Who}} {
		switch {
		case len(text.value) > maxText:
			return fmt.Errorf("%s: %d bytes are more than %d", text.name, len(text.value), maxText)
		case !utf8.ValidString(text.value) || strings.ContainsFunc(text.value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return fmt.Errorf("%s: %q has characters that are no text", text.name, text.value)
		}
	}
	switch {
	case o.Object == "":
		return errors.New("object: empty")
	case o.Mode != Drained && o.Mode != Disabled:
		return fmt.Errorf("mode: %v is no override", o.Mode)
	case !o.Until.IsZero() && !o.Until.After(o.Since):
		return errors.New("until: not after since")
	case !o.Deadline.IsZero() && o.Mode != Drained:
		return errors.New("deadline: only a drain has one")
	}
	return nil
}

// Attrs are the override's parts for a log, as slog takes them.
func (o Override) Attrs() []any {
	until := "enabled"
	if !o.Until.IsZero() {
		until = o.Until.UTC().Format(time.RFC3339)
	}
	out := []any{"object", o.Object, "mode", o.Mode.String(), "until", until, "who", o.Who, "reason", o.Reason}
	if !o.Deadline.IsZero() {
		out = append(out, "deadline", o.Deadline.UTC().Format(time.RFC3339))
	}
	return out
}

// Overrides are those in force, one for each object, sorted by object. They are
// never changed once handed out.
type Overrides []Override

// With returns the overrides with x, in place of another of the same object.
func (o Overrides) With(x Override) (Overrides, error) {
	if err := x.Check(); err != nil {
		return o, err
	}
	next := append(o.Without(x.Object), x)
	if len(next) > maxOverrides {
		return o, fmt.Errorf("there are %d overrides already", maxOverrides)
	}
	sortOverrides(next)
	return next, nil
}

func sortOverrides(o Overrides) {
	slices.SortFunc(o, func(a, b Override) int { return cmp.Compare(a.Object, b.Object) })
}

// Without returns the overrides but that of an object.
func (o Overrides) Without(object string) Overrides {
	return slices.DeleteFunc(slices.Clone(o), func(x Override) bool { return x.Object == object })
}

// Of is the override of an object.
func (o Overrides) Of(object string) (Override, bool) {
	i, ok := slices.BinarySearchFunc(o, object, func(x Override, s string) int { return cmp.Compare(x.Object, s) })
	if !ok {
		return Override{}, false
	}
	return o[i], true
}

// Mode is what has been made of an object.
func (o Overrides) Mode(object string) Mode {
	x, _ := o.Of(object)
	return x.Mode
}

// Expire splits the overrides into those in force at time now and those that
// have run out.
func (o Overrides) Expire(now time.Time) (left, gone Overrides) {
	for _, x := range o {
		if !x.Until.IsZero() && !now.Before(x.Until) {
			gone = append(gone, x)
		} else {
			left = append(left, x)
		}
	}
	return left, gone
}

// Next is when the next of them runs out, the zero time when none does.
func (o Overrides) Next() time.Time {
	var next time.Time
	for _, x := range o {
		if !x.Until.IsZero() && (next.IsZero() || x.Until.Before(next)) {
			next = x.Until
		}
	}
	return next
}

// The form in which overrides are kept.
type overridesFile struct {
	FormatVersion int            `json:"format_version"`
	Overrides     []overrideItem `json:"overrides"`
}

type overrideItem struct {
	Object string     `json:"object"`
	Mode   string     `json:"mode"`
	Reason string     `json:"reason,omitempty"`
	Who    string     `json:"who,omitempty"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until,omitempty"`
	// Deadline came later; without it there is none.
	Deadline *time.Time `json:"deadline,omitempty"`
}

// Encode returns the overrides as [ReadOverrides] reads them.
func (o Overrides) Encode() []byte {
	file := overridesFile{FormatVersion: 1, Overrides: []overrideItem{}}
	for _, x := range o {
		item := overrideItem{Object: x.Object, Mode: x.Mode.String(), Reason: x.Reason, Who: x.Who, Since: x.Since.UTC()}
		if !x.Until.IsZero() {
			until := x.Until.UTC()
			item.Until = &until
		}
		if !x.Deadline.IsZero() {
			deadline := x.Deadline.UTC()
			item.Deadline = &deadline
		}
		file.Overrides = append(file.Overrides, item)
	}
	return encode(file)
}

// ReadOverrides reads what [Overrides.Encode] has made.
func ReadOverrides(data []byte) (Overrides, error) {
	var file overridesFile
	if err := decode(data, &file, &file.FormatVersion); err != nil {
		return nil, fmt.Errorf("read overrides: %w", err)
	}
	var out Overrides
	for i, item := range file.Overrides {
		mode, err := ParseMode(item.Mode)
		if err != nil {
			return nil, fmt.Errorf("read overrides: number %d: mode: %w", i+1, err)
		}
		x := Override{Object: item.Object, Mode: mode, Reason: item.Reason, Who: item.Who, Since: item.Since}
		if item.Until != nil {
			x.Until = *item.Until
		}
		if item.Deadline != nil {
			x.Deadline = *item.Deadline
		}
		if strange(x.Since) || strange(x.Until) || strange(x.Deadline) {
			return nil, fmt.Errorf("read overrides: number %d: a time that no clock shows", i+1)
		}
		if _, there := out.Of(x.Object); there {
			return nil, fmt.Errorf("read overrides: number %d: %s is there twice", i+1, x.Object)
		}
		if out, err = out.With(x); err != nil {
			return nil, fmt.Errorf("read overrides: number %d: %w", i+1, err)
		}
	}
	return out, nil
}

func encode(file any) []byte {
	data, err := json.Marshal(file)
	if err != nil {
		panic("health: " + err.Error()) // there is nothing in it that has no JSON
	}
	return append(data, '\n')
}

// strange is a time that JSON could not hold in another zone.
func strange(t time.Time) bool { return t.Year() > 9000 || t.Year() < 1 && !t.IsZero() }

// maxFile bounds, in bytes, what is read.
const maxFile = 64 << 20

func decode(data []byte, file any, version *int) error {
	if len(data) > maxFile {
		return fmt.Errorf("%d bytes are more than %d", len(data), maxFile)
	}
	if err := json.Unmarshal(data, file); err != nil {
		return err
	}
	if *version != 1 {
		return fmt.Errorf("format version %d is not 1", *version)
	}
	return nil
}
