package near

import "testing"

func TestWord(t *testing.T) {
	words := []string{"director.front", "director.nat", "region.eu", "region.us", "www"}
	for name, c := range map[string]struct{ given, want string }{
		"two letters swapped":                {"region.ue", "region.eu"},
		"a letter too many":                  {"director.fronnt", "director.front"},
		"case is no difference in itself":    {"WWWW", "www"},
		"nothing that is close":              {"virtual_service.www", ""},
		"the word itself is no other":        {"www", ""},
		"nothing is meant by nothing":        {"", ""},
		"a short word keeps something of it": {"xy", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Word(c.given, words); got != c.want {
				t.Errorf("%q: %q, want %q", c.given, got, c.want)
			}
		})
	}
}
