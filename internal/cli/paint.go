package cli

// Painter gives words of states their colours: green what works, red what does
// not, yellow what is between. Without colour it gives the word.
func Painter(colour bool) func(string) string {
	codes := map[string]string{
		"up": "32", "forwarding": "32", "serving": "32",
		"down": "31", "disabled": "31", "degraded": "31",
		"partly": "33", "drained": "33", "draining": "33", "unknown": "33", "unchecked": "33", "undecided": "33", "starting": "33", "stands down": "33",
	}
	return func(word string) string {
		if code := codes[word]; colour && code != "" {
			return "\x1b[" + code + "m" + word + "\x1b[0m"
		}
		return word
	}
}
