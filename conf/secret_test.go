package conf

import (
	"strings"
	"testing"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	const zone = "zone \"z\" {\n  name = \"z.example\"\n"
	key := strings.Repeat("SECRET", 10)
	pem := "-----BEGIN PRIVATE KEY-----\n" + key + "\n-----END PRIVATE KEY-----\n"
	escaped := strings.ReplaceAll(pem, "\n", `\n`)
	nats := "SU" + strings.Repeat("SECRET", 9) + "AA"
	for name, src := range map[string]Source{
		"in a here document":                  {Files: []File{{"a.hcl", []byte("locals {\n  key = <<EOT\n" + pem + "EOT\n}\n")}}},
		"in one line":                         {Files: []File{{"a.hcl", []byte("locals { key = \"" + escaped + "\" }\n")}}},
		"in an argument of another type":      {Files: []File{{"a.hcl", []byte("director \"a\" { address = \"" + escaped + "\" }\n")}}},
		"in a for_each":                       {Files: []File{{"a.hcl", []byte("region \"a\" { for_each = toset([\"" + escaped + "\"]) }\n")}}},
		"as a label":                          {Files: []File{{"a.hcl", []byte("region \"" + nats + "\" {\n fallback = [\"x\"]\n}\n")}}},
		"beside a fault in the same line":     {Files: []File{{"a.hcl", []byte("check \"a\" { typ = \"" + nats + "\" }\n")}}},
		"in a secret's place":                 {Files: []File{{"a.hcl", []byte(zone + "  dnssec = { algorithm = \"X\", keys = \"" + key + "\" }\n}\n")}}},
		"in secret() itself":                  {Files: []File{{"a.hcl", []byte(zone + "  dnssec = { algorithm = \"X\", keys = secret(\"" + escaped + "\") }\n}\n")}}},
		"in HCL's JSON form":                  {Files: []File{{"a.hcl.json", []byte(`{"locals": {"key": "` + escaped + `"}}`)}}},
		"where the syntax is wrong":           {Files: []File{{"a.hcl", []byte("locals { key = \"" + escaped + "\" x }\n")}}},
		"inside a here document with a fault": {Files: []File{{"a.hcl", []byte("locals {\n  key = <<EOT\n-----BEGIN PRIVATE KEY-----\n" + key + "${nothing.x}\n-----END PRIVATE KEY-----\nEOT\n}\n")}}},
		"given for a variable of another type": {
			Files: []File{{"a.hcl", []byte("variable \"n\" { type = number }\nlocals { n = var.n }\n")}}, Vars: map[string]string{"n": pem},
		},
		"given for a variable that is used": {
			Files: []File{{"a.hcl", []byte("variable \"n\" {}\n" + zone + "  file = var.n\n}\n")}}, Env: map[string]string{"GSLB_VAR_n": pem},
		},
		"given for a variable with a condition": {
			Files: []File{{"a.hcl", []byte("variable \"n\" {\n  validation {\n    condition = var.n == \"\"\n    error_message = \"is ${var.n}\"\n  }\n}\nlocals { n = var.n }\n")}}, Vars: map[string]string{"n": pem},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Parse(src)
			var out strings.Builder
			Text(&out, diags, src, false)
			data, err := JSON(diags, src)
			if err != nil {
				t.Fatal(err)
			}
			if len(diags) == 0 {
				t.Error("nothing is said at all")
			}
			for form, s := range map[string]string{"text": out.String(), "JSON": string(data)} {
				if strings.Contains(s, "SECRET") {
					t.Errorf("%s:\n%s", form, s)
				}
			}
		})
	}
}

func TestWhatIsNoSecretIsTaken(t *testing.T) {
	for name, s := range map[string]string{
		"a certificate":           "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"a public key":            "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
		"a DKIM record":           "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt",
		"a long name":             "SU-" + strings.Repeat("a-very-long-name", 10),
		"the place of a key":      "/etc/ssl/PRIVATE KEY",
		"words about private key": "Write the PRIVATE KEY into a file of its own",
	} {
		if looksSecret(s) {
			t.Errorf("%s: %q is taken for a secret", name, s)
		}
	}
}
