package conf

import (
	"slices"
	"strings"
)

// near returns the word of the list that w was probably meant to be, "" when
// none is close. Close is one edit for short words and a third of the letters
// for long ones; swapping two neighbours is one edit.
func near(w string, words []string) string {
	best, least := "", min(1+max(1, len(w)/3), len(w)) // something of w must remain
	for _, c := range words {
		if c == w || len(c) > 2*len(w)+2 || len(w) > 2*len(c)+2 {
			continue
		}
		if d := distance(strings.ToLower(w), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Damerau's (optimal string alignment): insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 1 << 10
	}
	rows := [3][]int{make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(x); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, row, before
	}
	return rows[1][len(y)]
}

// meant is the sentence "Did you mean x?", "" without a candidate.
func meant(w string, words []string) string {
	if n := near(w, words); n != "" {
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
