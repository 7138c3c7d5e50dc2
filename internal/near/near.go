// Package near finds the word that was probably meant. It knows nothing of
// what the words stand for.
package near

import "strings"

// Word returns the word of the list that w was probably meant to be, "" when
// none is close. Close is one edit for short words and a third of the letters
// for long ones; swapping two neighbours is one edit.
func Word(w string, words []string) string {
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
// substitutions and swaps of neighbours. Words beyond 64 letters are far from
// everything.
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
