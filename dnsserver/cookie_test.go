package dnsserver

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 9018, appendix A, and what it says of time in section 4.3.
func TestCookies(t *testing.T) {
	const (
		client = "2464c4abcf10c957"
		first  = client + "010000005cf79f111f8130c3eee29480"
		made   = 1559731985
		secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
	)
	for name, c := range map[string]struct {
		secrets, from, sent string
		now                 uint32
		want                string
		good                bool
	}{
		"a new one (A.1)":                        {secret, "198.51.100.100", client, made, first, false},
		"one of 40 minutes is renewed (A.2)":     {secret, "198.51.100.100", first, 1559734385, client + "010000005cf7a871d4a564a1442aca77", true},
		"reserved bits are hashed as sent (A.3)": {secret, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559728000, "fc93fc62807ddb86010000005cf78f80", true},
		"another client, too late (A.3)":         {secret, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", false},
		"the secret before is good still (A.4)":  {"445536bcd2513298075a5d379663c962\ndd3bdf9344b678b185a6f5cb60fca715", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a", true},
		"a secret forgotten is not":              {"445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a", false},
		"one of half an hour stays":              {secret, "198.51.100.100", first, made + 1800, first, true},
		"one a second older is renewed":          {secret, "198.51.100.100", first, made + 1801, client + "010000005cf7a61a", true},
		"one of an hour is good":                 {secret, "198.51.100.100", first, made + 3600, client + "010000005cf7ad21", true},
		"one a second older than an hour is not": {secret, "198.51.100.100", first, made + 3601, client + "010000005cf7ad22", false},
		"one from five minutes ahead is good":    {secret, "198.51.100.100", first, made - 300, first, true},
		"one from further ahead is not":          {secret, "198.51.100.100", first, made - 301, client + "010000005cf79de4", false},
		"one of another client's is not":         {secret, "198.51.100.101", first, made, client + "010000005cf79f11", false},
		"one of another version is not":          {secret, "198.51.100.100", client + "020000005cf79f111f8130c3eee29480", made, first, false},
		"one of another length is not":           {secret, "198.51.100.100", first + "00", made, first, false},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := ParseSecrets(c.secrets)
			if err != nil {
				t.Fatal(err)
			}
			sent := unhex(t, c.sent)
			var fresh [serverCookie]byte
			good := check(&fresh, list, sent, netip.MustParseAddr(c.from), c.now)
			got := hex.EncodeToString(append(sent[:clientCookie:clientCookie], fresh[:]...))
			if diff := cmp.Diff(c.want, got[:len(c.want)]); diff != "" || good != c.good {
				t.Errorf("good %v, want %v (-want +got)\n%s", good, c.good, diff)
			}
		})
	}
}

func TestParseSecretsRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":     {"# none\n\n", "no cookie secret: give 32 hexadecimal digits"},
		"too short":   {"e5e973e5a6b2a43f48e7dc849e37bfcf # now\n00\n", "line 2: a cookie secret is 32 hexadecimal digits"},
		"other words": {"secret\n", "line 1: a cookie secret is 32 hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSecrets(c.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
