package uml

import (
	"io"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestWithSystemPath(t *testing.T) {
	for _, test := range []struct {
		name      string
		env, want []string
	}{
		{"what PATH has comes first and once", []string{"A=1", "PATH=/opt/bin:/usr/bin"},
			[]string{"A=1", "PATH=/opt/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"}},
		{"no PATH", []string{"A=1"}, []string{"A=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, withSystemPath(test.env)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLinkIsTheSocketInTheEnvironment(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(linkVar, strconv.Itoa(pair[0]))
	conn, err := Link()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(pair[1]), "other end")
	other, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if got, err := io.ReadAll(other); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWithoutALinkThereIsNone(t *testing.T) {
	t.Setenv(linkVar, "")
	if _, err := Link(); err == nil {
		t.Error("want an error")
	}
}
