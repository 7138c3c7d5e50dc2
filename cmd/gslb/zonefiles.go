package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// zoneFiles are master files as they were last read without error, by path.
type zoneFiles map[string]zoneFile

type zoneFile struct {
	zone    *zonefile.Zone
	changed time.Time
	size    int64
	ttl     time.Duration
}

// read reads the files of topo's zones that have changed. Where a file has
// errors and was read before, what it said stays and told gets the error;
// otherwise it is an error here.
func (before zoneFiles) read(topo *topology.Topology, told func(error)) (zoneFiles, error) {
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
			told(err)
		default:
			faults = append(faults, err)
		}
	}
	return now, errors.Join(faults...)
}

// again reads the file of z, unless it is still what f was made of.
func (f zoneFile) again(z *topology.Zone, known bool) (zoneFile, error) {
	info, err := os.Stat(z.File)
	if err != nil {
		return zoneFile{}, fmt.Errorf("%s: %w", z.ID, err)
	}
	if known && info.ModTime().Equal(f.changed) && info.Size() == f.size && f.ttl == z.TTL {
		return f, nil
	}
	text, err := os.ReadFile(z.File)
	if err != nil {
		return zoneFile{}, fmt.Errorf("%s: %w", z.ID, err)
	}
	zone, err := zonefile.Parse(z.File, z.Name, string(text), z.TTL)
	if err != nil {
		return zoneFile{}, err
	}
	return zoneFile{zone, info.ModTime(), info.Size(), z.TTL}, nil
}

// zones are the files for [dnsserver.Compile].
func (f zoneFiles) zones() []*zonefile.Zone {
	var list []*zonefile.Zone
	for _, file := range f {
		list = append(list, file.zone)
	}
	return list
}
