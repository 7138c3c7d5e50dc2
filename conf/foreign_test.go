package conf

import "testing"

// A word of another program must not be one of ours, and must stand for one.
func TestForeignWordsStandForOurs(t *testing.T) {
	ours := map[string]bool{"for_each": true}
	var walk func(b *block)
	walk = func(b *block) {
		names, kids := b.words()
		for _, n := range append(names, kids...) {
			ours[n] = true
		}
		for _, k := range b.kids {
			walk(k)
		}
	}
	walk(root)
	for w, f := range foreign {
		if !ours[f.ours] {
			t.Errorf("%s stands for %s, which the language does not have", w, f.ours)
		}
	}
}
