package geo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"gslb/steering"
)

// maxSize is the largest file that is read, in bytes. The largest City
// databases have a third of it.
const maxSize = 1 << 30

// A Database is one file, read into memory and verified. In memory, because a
// file that is overwritten while it is mapped ends the process.
type Database struct {
	path   string
	data   []byte
	reader *maxminddb.Reader
}

// Open reads and verifies a database. The error names the file and what is
// wrong with it.
func Open(path string) (*Database, error) {
	d, _, err := open(path)
	return d, err
}

// open also returns the mark of the file that was read.
func open(path string) (*Database, mark, error) {
	refuse := func(seen mark, why error) (*Database, mark, error) {
		if p := (*fs.PathError)(nil); errors.As(why, &p) {
			why = p.Err // the path is said already
		}
		return nil, seen, fmt.Errorf("geo database %s: %w", path, why)
	}
	if info, err := os.Stat(path); err != nil {
		return refuse(mark{}, err)
	} else if !info.Mode().IsRegular() {
		return refuse(mark{}, errors.New("it is no regular file")) // opening a pipe would wait
	}
	f, err := os.Open(path)
	if err != nil {
		return refuse(mark{}, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return refuse(mark{}, err)
	}
	seen := mark{info}
	if info.Size() > maxSize {
		return refuse(seen, fmt.Errorf("it has %d bytes, more than the %d that are read", info.Size(), maxSize))
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return refuse(seen, fmt.Errorf("it changed while it was read: %w", err))
	}
	reader, err := verified(data)
	if err != nil {
		return refuse(seen, err)
	}
	return &Database{path, data, reader}, seen, nil
}

// verified makes a reader whose tree and records have been walked through.
func verified(data []byte) (*maxminddb.Reader, error) {
	if err := foreign(data); err != nil {
		return nil, err
	}
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	meta := reader.Metadata
	switch {
	case meta.BinaryFormatMajorVersion != 2:
		return nil, fmt.Errorf("it is of version %d of the format, and 2 is read", meta.BinaryFormatMajorVersion)
	case meta.IPVersion != 4 && meta.IPVersion != 6, meta.RecordSize != 24 && meta.RecordSize != 28 && meta.RecordSize != 32, meta.NodeCount == 0:
		return nil, errors.New("it is damaged: what it says of itself makes no sense")
	}
	t := treeOf(data, reader)
	// Sixteen zeros stand between the tree and what it leads to, and the mark
	// of the metadata behind that.
	begin, end := t.nodes*t.size/4, uint(bytes.LastIndex(data, metadataMark))
	if end < begin+separator || !bytes.Equal(data[begin:begin+separator], make([]byte, separator)) {
		return nil, errors.New("it is damaged: its search tree is not where it should be")
	}
	values, err := checked(data[begin+separator : end])
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	paths, err := t.check(values)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if paths > maxAliases*(uint64(t.nodes)+1) {
		return nil, errors.New("it is damaged: the branches of its search tree are shared so often that they have no end in sight")
	}
	return reader, nil
}

// metadataMark stands before what a database says of itself.
var metadataMark = []byte("\xab\xcd\xefMaxMind.com")

// foreign says what a file is that is no database at all.
func foreign(data []byte) error {
	switch {
	case len(data) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return errors.New("it is compressed: unpack it with gunzip, or tar -xz where it is a .tar.gz")
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return errors.New("it is a ZIP archive: unpack it with unzip")
	case !bytes.Contains(data, metadataMark):
		return errors.New("it is no database in MaxMind's format, or its end is missing")
	}
	return nil
}

// Info is what a database says of itself.
type Info struct {
	Path      string
	Type      string
	Built     time.Time // UTC
	IPVersion int       // 4, or 6 for both
	Size      int64     // bytes
	Networks  int       // with a record; the aliases of IPv4 in IPv6 do not count
	Records   int       // distinct
	Has       Has
}

// Info reads the whole database to tell of it.
func (d *Database) Info() (Info, error) {
	meta := d.reader.Metadata
	info := Info{
		Path: d.path, Type: meta.DatabaseType, Built: meta.BuildTime().UTC(), IPVersion: int(meta.IPVersion), Size: int64(len(d.data)),
	}
	seen := map[uintptr]bool{}
	err := d.networks(func(_, _ key, offset uintptr) error {
		info.Networks++
		if seen[offset] {
			return nil
		}
		seen[offset] = true
		rec, err := decode(d.reader.LookupOffset(offset))
		if err != nil {
			return err
		}
		w := rec.where()
		info.Has.add(w)
		return nil
	})
	info.Records = len(seen)
	return info, err
}

func (h *Has) add(w steering.Where) {
	h.Continent = h.Continent || w.Continent != ""
	h.Country = h.Country || w.Country != ""
	h.Point = h.Point || w.Point != nil
	h.ASN = h.ASN || w.ASN != 0
}

// networks calls do with every network that has a record, in ascending order:
// its first and its last address, and where the record is.
func (d *Database) networks(do func(from, last key, offset uintptr) error) error {
	t := treeOf(d.data, d.reader)
	t.do = do
	root := uint(0)
	if d.reader.Metadata.IPVersion == 4 {
		if err := t.walk(root, key{}, 96); err != nil {
			return d.damaged(err)
		}
		return nil
	}
	for range 96 {
		if root < t.nodes {
			root, _ = t.pair(root)
		}
	}
	if t.v4 = root; root >= t.nodes {
		// All of IPv4 is one record, and of networks with this record only
		// their places tell which are aliases.
		t.do = func(from, last key, offset uintptr) error {
			if addr := from.addr(); d.alias(addr, d.reader.Lookup(addr)) {
				return nil
			}
			return do(from, last, offset)
		}
	}
	if err := t.walk(0, key{}, 0); err != nil {
		return d.damaged(err)
	}
	return nil
}

func (d *Database) damaged(err error) error {
	return fmt.Errorf("geo database %s: it is damaged: %w", d.path, err)
}

// cities are the places of a City or Country database.
func (d *Database) cities() ([]run, []steering.Where, Has, error) {
	type words struct {
		continent, country string
		lat, lon           float64
		placed             bool
	}
	var t tape
	var has Has
	places := []steering.Where{{}}
	known := map[words]uint32{{}: 0}
	at := map[uintptr]uint32{}
	records := 0
	err := d.networks(func(from, last key, offset uintptr) error {
		i, seen := at[offset]
		if !seen {
			records++
			rec, err := decode(d.reader.LookupOffset(offset))
			if err != nil {
				return err
			}
			w := rec.where()
			w.ASN = 0
			has.add(w)
			key := words{continent: w.Continent, country: w.Country}
			if w.Point != nil {
				key.lat, key.lon, key.placed = w.Point.Lat, w.Point.Lon, true
			}
			if i, seen = known[key]; !seen {
				i = uint32(len(places))
				places = append(places, w)
				known[key] = i
			}
			at[offset] = i
		}
		t.add(from, last, i, 0)
		return nil
	})
	if err != nil {
		return nil, nil, has, err
	}
	if has == (Has{}) {
		return nil, nil, has, d.lacks("a country, a continent or coordinates", "a City or Country database", records)
	}
	return t.end(), append([]steering.Where(nil), places...), has, nil
}

// systems are the autonomous systems of an ASN database.
func (d *Database) systems() ([]run, error) {
	var t tape
	some := false
	at := map[uintptr]uint32{}
	err := d.networks(func(from, last key, offset uintptr) error {
		asn, seen := at[offset]
		if !seen {
			rec, err := decode(d.reader.LookupOffset(offset))
			if err != nil {
				return err
			}
			asn = rec.where().ASN
			at[offset] = asn
			some = some || asn != 0
		}
		t.add(from, last, 0, asn)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !some {
		return nil, d.lacks("the number of an autonomous system", "an ASN database", len(at))
	}
	return t.end(), nil
}

func (d *Database) lacks(what, want string, records int) error {
	if records == 0 {
		return fmt.Errorf("geo database %s: it has no records", d.path)
	}
	return fmt.Errorf("geo database %s: its type is %q and no record has %s: %s is wanted", d.path, d.reader.Metadata.DatabaseType, what, want)
}
