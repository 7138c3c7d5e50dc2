package conf

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
)

// FormatVersion is the version of what JSON writes.
const FormatVersion = 1

type jsonReport struct {
	FormatVersion int              `json:"format_version"`
	Valid         bool             `json:"valid"`
	ErrorCount    int              `json:"error_count"`
	WarningCount  int              `json:"warning_count"`
	Diagnostics   []jsonDiagnostic `json:"diagnostics"`
}

type jsonDiagnostic struct {
	Severity string        `json:"severity"`
	Code     string        `json:"code"`
	Summary  string        `json:"summary"`
	Detail   string        `json:"detail"`
	Help     string        `json:"help,omitempty"`
	Range    *jsonRange    `json:"range,omitempty"`
	Related  []jsonRelated `json:"related,omitempty"`
	Snippet  string        `json:"snippet,omitempty"`
	More     int           `json:"more_instances,omitempty"`
}

type jsonRelated struct {
	Message string    `json:"message"`
	Range   jsonRange `json:"range"`
}

type jsonRange struct {
	Filename string  `json:"filename"`
	Start    jsonPos `json:"start"`
	End      jsonPos `json:"end"`
}

type jsonPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// JSON writes diagnostics for programs. Lines and columns count from 1, bytes
// from 0.
func JSON(diags hcl.Diagnostics, src Source) ([]byte, error) {
	text := newLines(src, diags)
	out := jsonReport{FormatVersion: FormatVersion, Valid: true, Diagnostics: []jsonDiagnostic{}}
	for _, d := range diags {
		j := jsonDiagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
			out.WarningCount++
		} else {
			out.Valid = false
			out.ErrorCount++
		}
		if d.Subject != nil {
			r := rangeJSON(*d.Subject)
			j.Range = &r
			j.Snippet, _, _ = text.line(*d.Subject)
		}
		if x, ok := d.Extra.(*Extra); ok {
			j.Code, j.Help, j.More = x.Code, x.Help, x.More
			for _, r := range x.Related {
				j.Related = append(j.Related, jsonRelated{r.Message, rangeJSON(r.Range)})
			}
		}
		out.Diagnostics = append(out.Diagnostics, j)
	}
	return json.MarshalIndent(out, "", "  ")
}

func rangeJSON(r hcl.Range) jsonRange {
	return jsonRange{
		Filename: r.Filename,
		Start:    jsonPos{r.Start.Line, r.Start.Column, r.Start.Byte},
		End:      jsonPos{r.End.Line, r.End.Column, r.End.Byte},
	}
}
