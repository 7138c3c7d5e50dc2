package systemd

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestNotify(t *testing.T) {
	for name, path := range map[string]string{"a path": filepath.Join(t.TempDir(), "notify"), "an abstract name": "@gslb-test-" + filepath.Base(t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			t.Setenv("NOTIFY_SOCKET", path)
			m := FromEnvironment()
			if !m.Is() || os.Getenv("NOTIFY_SOCKET") != "" {
				t.Fatal("the manager is not taken from the environment")
			}
			file, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := m.Store("dns", int(file.Fd())); err != nil {
				t.Fatal(err)
			}
			text, rights := make([]byte, 100), make([]byte, 100)
			n, c, _, _, err := l.ReadMsgUnix(text, rights)
			if err != nil {
				t.Fatal(err)
			}
			messages, err := unix.ParseSocketControlMessage(rights[:c])
			if err != nil || len(messages) != 1 {
				t.Fatalf("%d messages, %v", len(messages), err)
			}
			got, err := unix.ParseUnixRights(&messages[0])
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %v", got, err)
			}
			unix.Close(got[0])
			if diff := cmp.Diff("FDSTORE=1\nFDNAME=dns\nFDPOLL=0", string(text[:n])); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err := m.Remove("dns"); err != nil {
				t.Fatal(err)
			}
			n, _, _, _, _ = l.ReadMsgUnix(text, rights)
			if diff := cmp.Diff("FDSTOREREMOVE=1\nFDNAME=dns", string(text[:n])); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if err := (Manager{}).Notify(nil, "READY=1"); err != nil {
		t.Errorf("without a manager: %v", err)
	}
	if err := (Manager{"/nowhere/notify"}).Notify(nil, "READY=1"); err == nil {
		t.Error("a manager that is not there has heard it")
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		count, names string
		want         []Socket
		wrong        bool
	}{
		"two with names":     {"2", "a:b", []Socket{{"a", 3}, {"b", 4}}, false},
		"two without":        {"2", "", []Socket{{"", 3}, {"", 4}}, false},
		"none":               {"0", "", []Socket{}, false},
		"no number":          {"x", "", nil, true},
		"less than none":     {"-1", "", nil, true},
		"too many":           {"1000000", "", nil, true},
		"fewer names":        {"2", "a", nil, true},
		"a name too many":    {"1", "a:b", nil, true},
		"names for nothing":  {"0", "a", nil, true},
		"an empty name each": {"2", ":", []Socket{{"", 3}, {"", 4}}, false},
	} {
		var taken []int
		got, err := parse(c.count, c.names, func(fd int) { taken = append(taken, fd) })
		if diff := cmp.Diff(c.want, got); diff != "" || (err != nil) != c.wrong || len(taken) != len(got) {
			t.Errorf("%s: %v, took %v (-want +got)\n%s", name, err, taken, diff)
		}
	}
}

// What was meant for another process is none of ours.
func TestSockets(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "2")
	got, err := Sockets()
	if got != nil || err != nil || os.Getenv("LISTEN_FDS") != "" {
		t.Errorf("%v, %v", got, err)
	}
}
