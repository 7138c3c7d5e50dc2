package format

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
)

func source(t *testing.T, text string) string {
	t.Helper()
	out, diags := Source(conf.File{Name: "test.hcl", Data: []byte(text)})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return string(out)
}

func TestLayout(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an empty file stays empty":                  {"", ""},
		"empty lines alone are nothing":              {"\n \n\t\n", ""},
		"the last line ends":                         {"a = 1", "a = 1\n"},
		"a comment that ends the file ends its line": {"# c", "# c\n"},
		"what is in a block stands two spaces in":    {"a {\n\tb {\nc = 1\n      }\n}\n", "a {\n  b {\n    c = 1\n  }\n}\n"},
		"one empty line stands where there are several": {
			"\n\na = 1\n\n\n\nb {\n\n  c = 1\n\n\n  d = 1\n\n}\n\n", "a = 1\n\nb {\n  c = 1\n\n  d = 1\n}\n",
		},
		"an empty line after a comment that follows a bracket goes": {"a { # c\n\n  b = 1\n}\n", "a { # c\n  b = 1\n}\n"},
		"white space at the end of lines goes":                      {"a = 1  \nb = 2\t# c \t\n", "a = 1\nb = 2 # c\n"},
		"a block on one line has spaces within its braces":          {`region   "eu"{location=[ 1,2 ]}`, "region \"eu\" { location = [1, 2] }\n"},
		"an empty block has none":                                   {"step \"geo\" { }\n", "step \"geo\" {}\n"},
		"an object has spaces within its braces":                    {"a={b=1,c={}}\n", "a = { b = 1, c = {} }\n"},

		"consecutive arguments have their = under each other":  {"a = 1\nlonger = 2\n", "a      = 1\nlonger = 2\n"},
		"an empty line, a comment and a block end such a run":  {"a = 1\n\nlong = 2\n# c\nlonger = 3\nb {}\nlongest = 4\n", "a = 1\n\nlong = 2\n# c\nlonger = 3\nb {}\nlongest = 4\n"},
		"an argument of several lines is not in a run":         {"a = 1\nlonger = {\n  b = 1\n}\nlong = 1\nc = 1\n", "a = 1\nlonger = {\n  b = 1\n}\nlong = 1\nc    = 1\n"},
		"letters are counted, not bytes, and marks not at all": {"\u00e4 = \"e\u0301\" # c\nab = 1 # d\n", "\u00e4  = \"e\u0301\" # c\nab = 1   # d\n"},
		"comments after code stand under each other":           {"a = 1 # one\nlong = \"x\" // two\nb = 1\n", "a    = 1   # one\nlong = \"x\" // two\nb    = 1\n"},
		"a comment after a bracket is not of the run within":   {"a { # outer\n  bbbbbbbb = 1 # inner\n}\n", "a { # outer\n  bbbbbbbb = 1 # inner\n}\n"},
		"a comment stands as far in as its block":              {"a {\n# c\n// d\n/* e */\n}\n", "a {\n  # c\n  // d\n  /* e */\n}\n"},
		"the lines of a block comment are left as they are":    {"a {\n/* one \n\t two */ b=1\n}\n", "a {\n  /* one \n\t two */ b = 1\n}\n"},
		"a comment between tokens has a space on both sides":   {"a/* b */=/* c */1\n", "a /* b */ = /* c */ 1\n"},

		"operators have spaces, signs have none":           {"a=b -1\nc=- 1\nd=b?- 1:! e\nf={for k,v in b:k=>- v...if v<- 1}\n", "a = b - 1\nc = -1\nd = b ? -1 : !e\nf = { for k, v in b : k => -v... if v < -1 }\n"},
		"a call has none before its (":                     {"a = f ( 1,2 , g()... )\n", "a = f(1, 2, g()...)\n"},
		"a keyword has one":                                {"a = [for x in(b):x if(x)]\nc = [for x in[1]:[x]]\n", "a = [for x in (b) : x if (x)]\nc = [for x in [1] : [x]]\n"},
		"an index has none":                                {"a = b [ 0 ] . c [ * ] [ \"d\" ] . * . e\n", "a = b[0].c[*][\"d\"].*.e\n"},
		"two steps that would read as one number do":       {"a = b.0 .1\n", "a = b.0 .1\n"},
		"sequences in texts are close, their text is kept": {`a = "  ${ b }  %{if c~} d %{else}%{ endif }  ${ { e = 1 } }  "`, "a = \"  ${b}  %{ if c ~} d %{ else }%{ endif }  ${ { e = 1 } }  \"\n"},
		"a heredoc is kept, its sequences are close": {
			"a {\nb = <<-EOT\n   x  ${ y }\n\n\n  \tz \n     EOT\nlong = 1\n}\n",
			"a {\n  b    = <<-EOT\n   x  ${y}\n\n\n  \tz \n     EOT\n  long = 1\n}\n",
		},

		"however many brackets a line opens, what follows is one step in": {"a = f({\nb = [{\nc = 1\n}]\n})\n", "a = f({\n  b = [{\n    c = 1\n  }]\n})\n"},
		"a line that closes and opens stands where the first stood":       {"a = [{\nb = 1\n}, {\nb = 2\n},\n]\n", "a = [{\n  b = 1\n}, {\n  b = 2\n},\n]\n"},
		"what goes on after a bracket stays a step in":                    {"a = f({\nb = 1\n},\nc)\n", "a = f({\n  b = 1\n},\n  c)\n"},
		"a for's last line may stand under its first":                     {"a = { for b in c : b =>\n{ d = 1 } }\n", "a = { for b in c : b =>\n{ d = 1 } }\n"},

		"lines end as the first does":               {"a {\r\nb = 1 # c\nc = 1\r\n}", "a {\r\n  b = 1 # c\r\n  c = 1\r\n}\r\n"},
		"lines that end otherwise later do not":     {"a {\nb = 1 # c\r\nc = 1\r\n}", "a {\n  b = 1 # c\n  c = 1\n}\n"},
		"line ends in a text are kept":              {"a = <<E\r\nb\nc\r\nE\n", "a = <<E\r\nb\nc\r\nE\n"},
		"a byte order mark goes":                    {"\xef\xbb\xbfa=1\n", "a = 1\n"},
		"what the file means need not be valid":     {"nonsense {\nx=y\n}\n", "nonsense {\n  x = y\n}\n"},
		"a key that is given twice is for validate": {"a={b=1,b=2}\n", "a = { b = 1, b = 2 }\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := source(t, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(got, source(t, got)); diff != "" {
				t.Errorf("laid out again (-first +second)\n%s", diff)
			}
		})
	}
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a group becomes an argument": {
			"zone \"z\" {\n  name = \"z.example\"\n  soa { contact = \"a.z.example\" }\n}\n",
			"zone \"z\" {\n  name = \"z.example\"\n  soa  = { contact = \"a.z.example\" }\n}\n",
		},
		"its lines and comments stay": {
			"failover \"f\" {\n  vrrp { # v\n    id = 1 # i\n\n    # a\n    advert = \"1s\"\n    /* p */\n  } # w\n}\n",
			"failover \"f\" {\n  vrrp = { # v\n    id = 1 # i\n\n    # a\n    advert = \"1s\"\n    /* p */\n  } # w\n}\n",
		},
		"a comment before its brace stays": {"zone \"z\" {\n  soa /* s */ {}\n}\n", "zone \"z\" {\n  soa = /* s */ {}\n}\n"},
		"a group in a group becomes one too": {
			"defaults {\n  check {\n    expect { status = [200] }\n  }\n}\n",
			"defaults {\n  check = {\n    expect = { status = [200] }\n  }\n}\n",
		},
		"a group with a block that is none stays a block": {
			"defaults {\n  check {\n    expect { status = [200] }\n    other {}\n  }\n}\n",
			"defaults {\n  check {\n    expect = { status = [200] }\n    other {}\n  }\n}\n",
		},
		"a block that is no group stays one":            {"check \"c\" {}\ndefaults {}\n", "check \"c\" {}\ndefaults {}\n"},
		"a group elsewhere than it belongs stays":       {"region \"r\" {\n  soa {}\n}\nsoa {}\n", "region \"r\" {\n  soa {}\n}\nsoa {}\n"},
		"a group that is there twice stays":             {"zone \"z\" {\n  soa {}\n  soa {}\n}\n", "zone \"z\" {\n  soa {}\n  soa {}\n}\n"},
		"so does one that is there as an argument too":  {"zone \"z\" {\n  soa {}\n  soa = {}\n}\n", "zone \"z\" {\n  soa {}\n  soa = {}\n}\n"},
		"so does one with a label":                      {"zone \"z\" {\n  soa \"s\" {}\n}\n", "zone \"z\" {\n  soa \"s\" {}\n}\n"},
		"so does one whose object would read as a loop": {"zone \"z\" {\n  soa { for = 1 }\n}\n", "zone \"z\" {\n  soa { for = 1 }\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := source(t, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(got, source(t, got)); diff != "" {
				t.Errorf("laid out again (-first +second)\n%s", diff)
			}
		})
	}
}

// An argument is one level more than a block for the parser.
func TestAGroupThatIsTooDeepAsAnArgumentStaysABlock(t *testing.T) {
	deep := func(n int) string {
		return "zone \"z\" {\n  soa {\n    contact = " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n  }\n}\n"
	}
	n := 400
	for {
		if _, _, diags := conf.Syntax(conf.File{Name: "test.hcl", Data: []byte(deep(n + 1))}); diags.HasErrors() {
			break
		}
		n++
	}
	if got := source(t, deep(n)); got != deep(n) {
		t.Error("the layout differs")
	}
	if got := source(t, deep(n-9)); !strings.Contains(got, "soa = {") {
		t.Error("nothing was to hold back the argument")
	}
}

func TestWhatCannotBeReadIsNotLaidOut(t *testing.T) {
	for name, text := range map[string]string{
		"a syntax error":         "a = = 1\n",
		"an argument twice":      "a = 1\na = 2\n",
		"an open brace":          "a {\n",
		"brackets too deep":      "a = " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "\n",
		"too many bytes":         strings.Repeat(" ", 16<<20+1),
		"bytes that are no text": "a = \"\xff\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			out, diags := Source(conf.File{Name: "test.hcl", Data: []byte(text)})
			if out != nil || !diags.HasErrors() {
				t.Errorf("got %d bytes and %v", len(out), diags)
			}
		})
	}
}

// files are the topology files of the tree.
func files(t testing.TB) []conf.File {
	t.Helper()
	var out []conf.File
	for _, pattern := range []string{"../../examples/*.hcl", "../../lab/testdata/*.hcl", "../testdata/bad/*.hcl"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, names, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, conf.File{Name: name, Data: data})
		}
	}
	return out
}

func TestTheExamplesAreLaidOut(t *testing.T) {
	for _, f := range files(t) {
		if !strings.Contains(f.Name, "/examples/") {
			continue
		}
		if diff := cmp.Diff(string(f.Data), source(t, string(f.Data))); diff != "" {
			t.Errorf("%s (-is +laid out)\n%s", f.Name, diff)
		}
	}
}
