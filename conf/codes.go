package conf

import (
	"maps"
	"slices"
)

// Codes returns the codes of every diagnostic that this package can give,
// sorted: "GS001".
func Codes() []string { return slices.Sorted(maps.Keys(summaries)) }

// Summary returns the phrase that a code's diagnostics begin with, "" for a
// code that this package does not give.
func Summary(code string) string { return summaries[code] }

// Caution returns the phrase that a code's warnings begin with where they are
// about another matter than its errors, else "".
func Caution(code string) string { return cautions[code] }
