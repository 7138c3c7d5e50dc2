package conf

import (
	"slices"
	"strings"

	"gslb/internal/near"
)

// meant is the sentence "Did you mean x?", "" without a candidate.
func meant(w string, words []string) string {
	if n := near.Word(w, words); n != "" {
		return "Did you mean " + n + "?"
	}
	return ""
}

// among lists words for a sentence, sorted and cut to a readable number.
func among(words []string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	words = slices.Compact(words)
	const show = 12
	if len(words) > show {
		return strings.Join(words[:show], ", ") + ", ..."
	}
	return strings.Join(words, ", ")
}
