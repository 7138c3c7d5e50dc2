package probe

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gslb/topology"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"state": "in sync\n", "empty": "", "192.0.2.1": "", "large": strings.Repeat("x", maxBody) + "in sync"} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(at("empty"), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(at("fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("fifo"), at("link")); err != nil {
		t.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
	file := func(name, text string, edit func(*topology.Check)) func(*topology.Check) {
		return func(c *topology.Check) {
			c.File, c.Text = at(name), text
			if edit != nil {
				edit(c)
			}
		}
	}
	absent := func(c *topology.Check) { c.Absent = true }
	minute := func(c *topology.Check) { c.MaxAge = time.Minute }
	for name, c := range map[string]try{
		"there is one":                     {addr, topology.CheckFile, file("state", "", nil), ""},
		"there is none":                    {addr, topology.CheckFile, file("none", "", nil), "none: no such file or directory"},
		"there shall be none":              {addr, topology.CheckFile, file("none", "", absent), ""},
		"there is one where none shall be": {addr, topology.CheckFile, file("state", "", absent), "there is "},
		"it has the text":                  {addr, topology.CheckFile, file("state", "in sync", nil), ""},
		"it has not":                       {addr, topology.CheckFile, file("state", "behind", nil), `state has no "behind" but "in sync\n"`},
		"it matches":                       {addr, topology.CheckFile, file("state", "", func(c *topology.Check) { c.Pattern = `^in sync$|^in sync\n` }), ""},
		"it is young":                      {addr, topology.CheckFile, file("state", "", minute), ""},
		"it is old":                        {addr, topology.CheckFile, file("empty", "", minute), "was written 1h0m0s ago, more than 1m0s"},
		"one for each destination":         {addr, topology.CheckFile, file("{address}", "", nil), ""},
		"a FIFO exists":                    {addr, topology.CheckFile, file("fifo", "", nil), ""},
		"a FIFO is not read":               {addr, topology.CheckFile, file("fifo", "x", nil), "no file that can be read"},
		"nor one behind a link":            {addr, topology.CheckFile, file("link", "x", nil), "no file that can be read"},
		"a device is not read":             {addr, topology.CheckFile, func(c *topology.Check) { c.File, c.Text = "/dev/zero", "x" }, "no file that can be read"},
		"a folder is not read":             {addr, topology.CheckFile, func(c *topology.Check) { c.File, c.Text = dir, "x" }, "no file that can be read"},
		"what stands behind 64 KiB":        {addr, topology.CheckFile, file("large", "in sync", nil), "has no"},
	} {
		t.Run(name, c.run)
	}
}

func TestOnlySoManyFilesAtATime(t *testing.T) {
	for range maxFiles {
		files <- struct{}{}
	}
	defer func() {
		for range maxFiles {
			<-files
		}
	}()
	try{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, topology.CheckFile, func(c *topology.Check) { c.File = "/" },
		"not looked at within 1.5s: 32 files of other checks hang"}.run(t)
}
