package health

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// The form in which a view is kept between runs.
type viewFile struct {
	FormatVersion int          `json:"format_version"`
	SavedAt       time.Time    `json:"saved_at"`
	Targets       []targetItem `json:"targets"`
}

type targetItem struct {
	Check     string         `json:"check,omitempty"`
	Addr      netip.AddrPort `json:"address"`
	Via       netip.Addr     `json:"via,omitzero"`
	Up        bool           `json:"up"`
	Since     time.Time      `json:"since"`
	Recovered bool           `json:"recovered,omitempty"`
	Flaps     int            `json:"flaps,omitempty"`
	Less      uint8          `json:"agent_less,omitempty"` // percent
	Mode      string         `json:"agent_mode,omitempty"`
	Stopped   bool           `json:"agent_stopped,omitempty"`
}

// Encode returns what is known at time now as [ReadView] reads it, the same
// bytes for the same view.
func (v View) Encode(now time.Time) []byte {
	file := viewFile{FormatVersion: 1, SavedAt: now.UTC(), Targets: []targetItem{}}
	for t, s := range v {
		if s.Known {
			mode := ""
			if s.Agent.Mode != Enabled {
				mode = s.Agent.Mode.String()
			}
			file.Targets = append(file.Targets, targetItem{
				t.Check, t.Addr, t.Via, s.Up, s.Since.UTC(), s.Recovered, s.Flaps, s.Agent.Less, mode, s.Agent.Stopped,
			})
		}
	}
	slices.SortFunc(file.Targets, func(a, b targetItem) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), a.Addr.Compare(b.Addr), a.Via.Compare(b.Via))
	})
	return encode(file)
}

// ReadView reads what [View.Encode] has made, and when that was. All its states
// are marked as saved.
func ReadView(data []byte) (View, time.Time, error) {
	var file viewFile
	if err := decode(data, &file, &file.FormatVersion); err != nil {
		return nil, time.Time{}, fmt.Errorf("read saved health: %w", err)
	}
	v := make(View, len(file.Targets))
	for i, x := range file.Targets {
		t := Target{Check: x.Check, Addr: x.Addr, Via: x.Via}
		var wrong error
		agent := Agent{Less: x.Less, Stopped: x.Stopped}
		if x.Mode != "" {
			agent.Mode, wrong = ParseMode(x.Mode)
		}
		switch _, twice := v[t]; {
		case !x.Addr.IsValid():
			wrong = errors.New("no address")
		case twice:
			wrong = errors.New("there twice")
		case x.Flaps < 0 || x.Flaps > 1<<30:
			wrong = fmt.Errorf("%d flaps", x.Flaps)
		case strange(x.Since) || strange(file.SavedAt):
			wrong = errors.New("a time that no clock shows")
		case x.Since.After(file.SavedAt):
			wrong = errors.New("since a time after it was saved")
		case x.Less > 100:
			wrong = fmt.Errorf("%d percent", x.Less)
		case x.Up && !agent.alive():
			wrong = errors.New("up, and its agent says otherwise")
		}
		if wrong != nil {
			return nil, time.Time{}, fmt.Errorf("read saved health: target %d: %w", i+1, wrong)
		}
		v[t] = State{Known: true, Up: x.Up, Since: x.Since, Recovered: x.Recovered && x.Up, Flaps: x.Flaps, Saved: true, Agent: agent}
	}
	return v, file.SavedAt, nil
}
