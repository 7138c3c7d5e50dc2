package tiers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gslb/health"
)

// inputsFile is the form in which one program tells another what it decides
// from: health's and memory's own forms, and the reports.
type inputsFile struct {
	FormatVersion int             `json:"format_version"`
	View          json.RawMessage `json:"view"`
	Overrides     json.RawMessage `json:"overrides"`
	Memory        json.RawMessage `json:"memory"`
	Reports       []reportItem    `json:"reports"`
}

type reportItem struct {
	Director string `json:"director"`
	Service  string `json:"service"` // [Key.String]
	Weight   uint32 `json:"weight"`
}

// Encode returns the inputs as [ReadInputs] reads them, but for the loads.
func (in Inputs) Encode() []byte {
	file := inputsFile{FormatVersion: 1, View: in.View.Encode(in.Now), Overrides: in.Overrides.Encode(), Memory: in.Before.Encode(), Reports: []reportItem{}}
	for from, weight := range in.Reports {
		file.Reports = append(file.Reports, reportItem{from.Director, from.Key.String(), weight})
	}
	slices.SortFunc(file.Reports, func(a, b reportItem) int {
		return cmp.Or(cmp.Compare(a.Director, b.Director), cmp.Compare(a.Service, b.Service))
	})
	data, err := json.Marshal(file)
	if err != nil {
		panic("tiers: " + err.Error()) // there is nothing in it that has no JSON
	}
	return data
}

// ReadInputs reads what [Inputs.Encode] has made, to decide from at time now.
func ReadInputs(data []byte, now time.Time) (Inputs, error) {
	var file inputsFile
	if err := json.Unmarshal(data, &file); err != nil {
		return Inputs{}, fmt.Errorf("read inputs: %w", err)
	}
	if file.FormatVersion != 1 {
		return Inputs{}, fmt.Errorf("read inputs: format version %d is not 1", file.FormatVersion)
	}
	in := Inputs{Now: now, Reports: Reports{}}
	var err error
	if in.View, _, err = health.ReadView(file.View); err != nil {
		return Inputs{}, fmt.Errorf("read inputs: %w", err)
	}
	if in.Overrides, err = health.ReadOverrides(file.Overrides); err != nil {
		return Inputs{}, fmt.Errorf("read inputs: %w", err)
	}
	if in.Before, err = ReadMemory(file.Memory); err != nil {
		return Inputs{}, fmt.Errorf("read inputs: %w", err)
	}
	for _, r := range file.Reports {
		k, err := ParseKey(r.Service)
		if err != nil {
			return Inputs{}, fmt.Errorf("read inputs: %w", err)
		}
		in.Reports[From{r.Director, k}] = r.Weight
	}
	return in, nil
}
