package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"gslb/conf"
	"gslb/dnsserver"
	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// zoneFiles are master files as they were last read without error, by path.
type zoneFiles map[string]zoneFile

type zoneFile struct {
	zone    *zonefile.Zone
	version version
	ttl     time.Duration
}

// A version of a file is another one after each writing to it and in its place.
type version struct {
	device, inode    uint64
	size             int64
	modified, status syscall.Timespec
}

func versionOf(info os.FileInfo) version {
	s := info.Sys().(*syscall.Stat_t)
	return version{s.Dev, s.Ino, s.Size, s.Mtim, s.Ctim}
}

// of are topo's zone files as they were, or not served, so that errors of some do
// not keep the others back.
func (before zoneFiles) of(topo *topology.Topology) zoneFiles {
	out := zoneFiles{}
	for _, z := range topo.Zones {
		if z.File == "" {
			continue
		}
		old, known := before[z.File]
		if !known || old.zone.Origin != z.Name {
			old = zoneFile{zone: &zonefile.Zone{File: z.File, Origin: z.Name, Unserved: true}}
		}
		out[z.File] = old
	}
	return out
}

// compile makes topo's zones with the given SOA serial number, and reads the
// files of those that have changed. Where a file has errors and was read before,
// what it said stays and told gets the error and that; otherwise it is an error
// here, beside everything that is wrong with the zones without it.
func (before zoneFiles) compile(topo *topology.Topology, serial uint32, told func(error, *zonefile.Zone)) (zoneFiles, *dnsserver.Zones, error) {
	files, wrong := before.read(topo, told)
	zones, err := files.zones(topo, serial)
	for before.retract(files, err, told) {
		zones, err = files.zones(topo, serial)
	}
	if err = errors.Join(wrong, err); err != nil {
		return nil, nil, err
	}
	return files, zones, nil
}

func (files zoneFiles) zones(topo *topology.Topology, serial uint32) (*dnsserver.Zones, error) {
	var parsed []*zonefile.Zone
	for _, f := range files {
		parsed = append(parsed, f.zone)
	}
	return dnsserver.Compile(topo, serial, parsed...)
}

// retract puts those of the files that err is about back to what they said
// before, tells the first error of each, and reports whether there are any.
func (before zoneFiles) retract(files zoneFiles, err error, told func(error, *zonefile.Zone)) bool {
	var first []*zonefile.Fault
	more := map[string]int{}
	for _, err := range flat(err) {
		var fault *zonefile.Fault
		if !errors.As(err, &fault) {
			continue
		}
		old, known := before[fault.File]
		switch {
		case !known || old.zone.Origin != files[fault.File].zone.Origin:
		case old.zone != files[fault.File].zone:
			files[fault.File] = old
			first = append(first, fault)
		default:
			more[fault.File]++
		}
	}
	for _, fault := range first {
		err := error(fault)
		if n := more[fault.File]; n > 0 {
			err = fmt.Errorf("%w (and %s more)", fault, count(n, "error"))
		}
		told(err, files[fault.File].zone)
	}
	return len(first) > 0
}

// read is the reading of compile. A file that is an error is empty.
func (before zoneFiles) read(topo *topology.Topology, told func(error, *zonefile.Zone)) (zoneFiles, error) {
	now := zoneFiles{}
	var faults []error
	for _, z := range topo.Zones {
		if z.File == "" {
			continue
		}
		old, known := before[z.File]
		known = known && old.zone.Origin == z.Name
		f, err := old.again(z, known)
		switch {
		case err == nil:
			now[z.File] = f
		case known:
			now[z.File] = old
			told(err, old.zone)
		default:
			now[z.File] = zoneFile{zone: &zonefile.Zone{File: z.File, Origin: z.Name}}
			faults = append(faults, err)
		}
	}
	return now, errors.Join(faults...)
}

// again reads the file of z, unless it is still what f was made of.
func (f zoneFile) again(z *topology.Zone, known bool) (zoneFile, error) {
	info, err := os.Stat(z.File)
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("read %s: it is not a regular file", z.File) // opening a pipe waits for its other end
	case info.Size() > maxZoneFile:
		err = fmt.Errorf("read %s: it has %d bytes, at most %d are possible", z.File, info.Size(), maxZoneFile)
	}
	if err != nil {
		return zoneFile{}, &unread{fmt.Errorf("%s: %w", z.ID, err)}
	}
	if known && versionOf(info) == f.version && f.ttl == z.TTL {
		return f, nil
	}
	text, err := os.ReadFile(z.File)
	if err != nil {
		return zoneFile{}, &unread{fmt.Errorf("%s: %w", z.ID, err)}
	}
	zone, err := zonefile.Parse(z.File, z.Name, string(text), z.TTL)
	if err != nil {
		return zoneFile{}, err
	}
	return zoneFile{zone, versionOf(info), z.TTL}, nil
}

// maxZoneFile is how many bytes a master file may have.
const maxZoneFile = 1 << 30

// An unread master file could not be read, so nobody knows what it says.
type unread struct{ error }

func (u *unread) Unwrap() error { return u.error }

// parse is conf.Parse with a look into the zones' master files, as far as they
// can be read here: what would keep gslb serve from its zones is an error too.
// The source returned has the lines that the diagnostics are about.
func parse(src conf.Source) (*topology.Topology, conf.Diagnostics, conf.Source) {
	topo, diags := conf.Parse(src)
	if topo == nil {
		return nil, diags, src
	}
	_, _, err := zoneFiles{}.compile(topo, 0, nil)
	if src.Masters = flawed(err); len(src.Masters) > 0 {
		topo, diags = conf.Parse(src)
	}
	return topo, diags, src
}

// mostFlaws is how many faults are told of one master file.
const mostFlaws = 20

// flawed are the master files with the faults of err. That one cannot be read is none:
// the node that does may have it.
func flawed(err error) []conf.Master {
	var out []conf.Master
	at := map[string]int{}
	for _, err := range flat(err) {
		var missing *unread
		if errors.As(err, &missing) {
			continue
		}
		file, flaw := "", conf.Flaw{What: err.Error()}
		var fault *zonefile.Fault
		if errors.As(err, &fault) {
			file, flaw = fault.File, conf.Flaw{Line: fault.Line, What: fault.Err.Error()}
		}
		i, known := at[file]
		if !known {
			i = len(out)
			at[file] = i
			out = append(out, conf.Master{File: conf.File{Name: file}})
			if text, err := os.ReadFile(file); file != "" && err == nil {
				out[i].Data = text // to be shown
			}
		}
		out[i].Flaws = append(out[i].Flaws, flaw)
	}
	for i, m := range out {
		if more := len(m.Flaws) - mostFlaws; more > 1 { // one is that there are more
			out[i].Flaws = append(m.Flaws[:mostFlaws], conf.Flaw{What: count(more, "error") + " more"})
		}
	}
	return out
}

// flat are the errors that err joins.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, one := range joined.Unwrap() {
		out = append(out, flat(one)...)
	}
	return out
}
