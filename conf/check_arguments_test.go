package conf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

// Every type of check with its arguments, and nothing of another type's.
func TestChecks(t *testing.T) {
	const text = `
defaults {
  check = {
    path     = "/healthz"
    host     = "www.example.org"
    interval = "1s"
    timeout  = "500ms"
    flap     = { count = 0 }
    expect   = { status = [200] }
  }
}
check "tcp" {
  type   = "tcp"
  send   = "hello\n"
  expect = { text = "250", pattern = "^250 " }
}
check "https" {
  type       = "https"
  slow_start = "30s"
  verify     = true
  flap       = { count = 1, window = "1m", hold = "10s", max = "1m" }
  expect     = { pattern = "ok$", certificate_days = 14 }
}
check "dns" {
  type   = "dns"
  query  = "www.example.org"
  expect = { rcode = ["NOERROR", "NXDOMAIN"], answer = "192.0.2.1" }
}
check "grpc" {
  type         = "grpc"
  tls          = true
  grpc_service = "shop.Cart"
}
check "web" {
  type    = "http"
  http2   = true
  method  = "HEAD"
  headers = { X-B = "2", Accept = "text/plain" }
  expect  = { status = [200, "204-206"] }
}
check "digest" {
  type   = "http"
  expect = { sha256 = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08" }
}
check "smtp" {
  type     = "smtp"
  helo     = "check.example.org"
  starttls = true
  expect   = { certificate_days = 7 }
}
check "agent" {
  type = "agent"
  port = 9707
  send = "a\n"
}
check "file" {
  type   = "file"
  file   = "/run/state"
  expect = { text = "ok", max_age = "1m" }
}
check "out" {
  type   = "file"
  file   = "/run/out/{address}"
  expect = { exists = false }
}
check "icmp" {
  type = "icmp"
}
check "exec" {
  type        = "exec"
  command     = ["/bin/check", "-q"]
  environment = { B = "2", A = "1" }
  user        = "check"
  group       = 33
}
`
	topo, diags := Parse(Source{Files: []File{{"t.hcl", []byte(text)}}})
	for _, d := range diags {
		if Code(d) != "GS011" { // nothing uses them
			t.Errorf("%v", d)
		}
	}
	if topo == nil {
		t.Fatal("no topology")
	}
	standard := func(c topology.Check) *topology.Check {
		c.Interval, c.Timeout, c.Jitter, c.Rise, c.Fall = time.Second, 500*time.Millisecond, 0.2, 2, 3
		if c.Flap.Count == 0 {
			c.Flap = topology.Flap{Window: 5 * time.Minute, Hold: 30 * time.Second, Max: 10 * time.Minute}
		}
		return &c
	}
	want := []*topology.Check{
		standard(topology.Check{ID: "check.tcp", Type: topology.CheckTCP, Send: "hello\n", Text: "250", Pattern: "^250 "}),
		standard(topology.Check{
			ID: "check.https", Type: topology.CheckHTTPS, Path: "/healthz", Host: "www.example.org", Verify: true, Pattern: "ok$", CertificateDays: 14,
			SlowStart: 30 * time.Second, Flap: topology.Flap{Count: 1, Window: time.Minute, Hold: 10 * time.Second, Max: time.Minute},
		}),
		standard(topology.Check{
			ID: "check.dns", Type: topology.CheckDNS, Query: "www.example.org", QueryType: "A", Rcodes: []string{"NOERROR", "NXDOMAIN"}, Records: []string{"192.0.2.1"},
		}),
		standard(topology.Check{ID: "check.grpc", Type: topology.CheckGRPC, Host: "www.example.org", TLS: true, Service: "shop.Cart"}),
		standard(topology.Check{
			ID: "check.web", Type: topology.CheckHTTP, Path: "/healthz", Host: "www.example.org", HTTP2: true, Method: "HEAD",
			Headers: []string{"Accept: text/plain", "X-B: 2"}, Status: []topology.StatusRange{{First: 200, Last: 200}, {First: 204, Last: 206}},
		}),
		standard(topology.Check{
			ID: "check.digest", Type: topology.CheckHTTP, Path: "/healthz", Host: "www.example.org",
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		}),
		standard(topology.Check{
			ID: "check.smtp", Type: topology.CheckSMTP, Host: "www.example.org", Helo: "check.example.org", StartTLS: true, CertificateDays: 7,
		}),
		standard(topology.Check{ID: "check.agent", Type: topology.CheckAgent, Port: 9707, Send: "a\n"}),
		standard(topology.Check{ID: "check.file", Type: topology.CheckFile, File: "/run/state", Text: "ok", MaxAge: time.Minute}),
		standard(topology.Check{ID: "check.out", Type: topology.CheckFile, File: "/run/out/{address}", Absent: true}),
		standard(topology.Check{ID: "check.icmp", Type: topology.CheckICMP}),
		standard(topology.Check{ID: "check.exec", Type: topology.CheckExec, Command: []string{"/bin/check", "-q"}, Environment: []string{"A=1", "B=2"}, User: "check", Group: "33"}),
	}
	if diff := cmp.Diff(want, topo.Checks); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAFarmHasAnAgent(t *testing.T) {
	const text = `
region "eu" {}
farm "far" {
  region = region.eu
  agent  = check.load
  server "a" { address = "192.0.2.21" }
}
check "load" {
  type = "agent"
  port = 9707
}
`
	topo, diags := Parse(Source{Files: []File{{"t.hcl", []byte(text)}}})
	if topo == nil || topo.Farms[0].Agent == nil || topo.Farms[0].Agent != topo.Checks[0] {
		t.Errorf("no agent; %v", diags)
	}
}
