package geo

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
)

// The files are real, the time is not: whatever the test does between two
// looks has happened at once for the watch.
func TestWatch(t *testing.T) {
	folder := t.TempDir()
	path := folder + "/city.mmdb"
	put := func(data []byte) { // as an operator should: beside it, and renamed
		t.Helper()
		if err := os.WriteFile(path+".new", data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	of := func(country string) []byte {
		return database(t, mmdbwriter.Options{}, row{"192.0.2.0/24", nested("EU", country, 50, 8)})
	}
	put(of("DE"))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first, watch, err := Start(Files{City: path})
		if err != nil {
			t.Fatal(err)
		}
		changes := make(chan Change)
		go watch.Run(ctx, 5*time.Second, func(c Change) {
			select {
			case changes <- c:
			case <-ctx.Done():
			}
		})
		now := strings.Join(walked(first), "; ")
		// told is what comes within that time, one line a change.
		told := func(d time.Duration) []string {
			var lines []string
			end := time.After(d)
			for {
				select {
				case c := <-changes:
					if c.Err != nil {
						lines = append(lines, strings.ReplaceAll(c.Err.Error(), folder+"/", ""))
						continue
					}
					now = strings.Join(walked(c.Map), "; ")
					lines = append(lines, now)
				case <-end:
					return lines
				}
			}
		}
		steps := []struct {
			what string
			do   func()
			want []string
		}{
			{"nothing happens", func() {}, nil},
			{"a new file", func() { put(of("FR")) }, []string{"192.0.2.0/24 EU FR 50,8"}},
			{"a broken file is told once", func() { put([]byte("oops")) }, []string{"geo database city.mmdb: it is no database in MaxMind's format, or its end is missing"}},
			{"nothing happens", func() {}, nil},
			{"no file is told once", func() { _ = os.Remove(path) }, []string{"geo database city.mmdb: no such file or directory"}},
			{"a good file again", func() { put(of("ES")) }, []string{"192.0.2.0/24 EU ES 50,8"}},
		}
		for _, s := range steps {
			s.do()
			if diff := cmp.Diff(s.want, told(time.Minute)); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", s.what, diff)
			}
		}
		if diff := cmp.Diff("192.0.2.0/24 EU ES 50,8", now); diff != "" {
			t.Errorf("in the end (-want +got)\n%s", diff)
		}
		// A file that is written while it is looked at is waited for.
		whole := of("IT")
		told(5 * time.Second / 2) // from now on nothing is written at the moment of a look
		for n := 1; n <= 4; n++ {
			if err := os.WriteFile(path, whole[:len(whole)*n/4], 0o644); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string(nil), told(5*time.Second)); diff != "" {
				t.Errorf("at part %d: (-want +got)\n%s", n, diff)
			}
		}
		if diff := cmp.Diff([]string{"192.0.2.0/24 EU IT 50,8"}, told(10*time.Second)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		cancel()
		synctest.Wait()
	})
}
