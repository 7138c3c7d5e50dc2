package geo

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"

	"gslb/steering"
	"gslb/topology"
)

// A record is what is read of a database's: the layouts of MaxMind and DB-IP,
// in which a place is nested, and the flat one of ip-location-db. Where the
// type of a field differs between databases it is any.
type record struct {
	Continent struct {
		Code string `maxminddb:"code"`
	} `maxminddb:"continent"`
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Location struct {
		Latitude  any `maxminddb:"latitude"`
		Longitude any `maxminddb:"longitude"`
	} `maxminddb:"location"`
	flat
}

type flat struct {
	ContinentCode any `maxminddb:"continent_code"`
	CountryCode   any `maxminddb:"country_code"`
	Latitude      any `maxminddb:"latitude"`
	Longitude     any `maxminddb:"longitude"`
	Number        any `maxminddb:"autonomous_system_number"`
	ASN           any `maxminddb:"asn"`
}

// decode reads a record of either layout.
func decode(r maxminddb.Result) (record, error) {
	var rec record
	err := r.Decode(&rec)
	if wrong := (maxminddb.UnmarshalTypeError{}); errors.As(err, &wrong) {
		// A flat database may have the country's name where others nest.
		rec = record{}
		err = r.Decode(&rec.flat)
	}
	return rec, err
}

// where is what the record says, without what makes no sense.
func (r record) where() steering.Where {
	var w steering.Where
	w.Country = code(r.Country.Code, r.CountryCode)
	if continentOf[w.Country] == "" {
		w.Country = "" // ZZ and the like: not known
	}
	w.Continent = code(r.Continent.Code, r.ContinentCode)
	if countriesOf[w.Continent] == "" {
		w.Continent = continentOf[w.Country]
	}
	w.Point = point(r.Location.Latitude, r.Location.Longitude)
	if w.Point == nil {
		w.Point = point(r.Latitude, r.Longitude)
	}
	if w.ASN = number(r.Number); w.ASN == 0 {
		w.ASN = number(r.ASN)
	}
	return w
}

// code is the first of two that is there, in upper case.
func code(nested string, flat any) string {
	if nested == "" {
		nested, _ = flat.(string)
	}
	return strings.ToUpper(nested)
}

// point makes a place of two coordinates; nil when one is missing or out of
// range. 0, 0 is where databases put what they do not know: nobody lives there.
func point(lat, lon any) *topology.Point {
	y, haveLat := degrees(lat)
	x, haveLon := degrees(lon)
	if !haveLat || !haveLon || math.Abs(y) > 90 || math.Abs(x) > 180 || y == 0 && x == 0 {
		return nil
	}
	return &topology.Point{Lat: y, Lon: x}
}

// degrees reads a coordinate: a number or, in flat databases, its digits.
func degrees(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v)
	case float32:
		// The digits that were meant: 50.1 and not 50.099998.
		return degrees(strconv.FormatFloat(float64(v), 'g', -1, 32))
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil && !math.IsNaN(f)
	}
	return 0, false
}

// number reads the number of an autonomous system: 64500 or "AS64500".
func number(v any) uint32 {
	switch v := v.(type) {
	case uint64:
		if v <= math.MaxUint32 {
			return uint32(v)
		}
	case string:
		digits := strings.TrimPrefix(strings.ToUpper(v), "AS")
		n, _ := strconv.ParseUint(digits, 10, 32)
		return uint32(n)
	}
	return 0
}

// An Entry is what one database says about one address.
type Entry struct {
	// Network is the database's network with the address; with nothing Found
	// it is the largest that nothing is known about.
	Network netip.Prefix
	Found   bool
	steering.Where
	// Names in English, for reading; "" where the database has none.
	City, CountryName, ContinentName, Organisation string
}

// Lookup says what the database has about a, with names that a [Map] does not
// keep. What a Map leaves out is not found: addresses of IPv6 that the
// database only knows as aliases of those of IPv4.
func (d *Database) Lookup(a netip.Addr) (Entry, error) {
	a = a.Unmap()
	if a.Is6() && d.reader.Metadata.IPVersion == 4 {
		return Entry{Network: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}, nil
	}
	r := d.reader.Lookup(a)
	if err := r.Err(); err != nil {
		return Entry{}, d.damaged(err)
	}
	e := Entry{Network: r.Prefix()}
	if !r.Found() || d.alias(a, r) {
		return e, nil
	}
	rec, err := decode(r)
	if err != nil {
		return e, d.damaged(err)
	}
	e.Found, e.Where = true, rec.where()
	var city geoip2.City
	if r.Decode(&city) == nil {
		e.City, e.CountryName, e.ContinentName = city.City.Names.English, city.Country.Names.English, city.Continent.Names.English
	} else {
		var plain struct {
			City any `maxminddb:"city"`
		}
		if r.Decode(&plain) == nil {
			e.City, _ = plain.City.(string)
		}
	}
	var system geoip2.ASN
	if r.Decode(&system) == nil {
		e.Organisation = system.AutonomousSystemOrganization
	}
	return e, nil
}

// alias reports whether r is the record of an address of IPv4 that a has in it.
func (d *Database) alias(a netip.Addr, r maxminddb.Result) bool {
	b := a.As16()
	var v4 netip.Addr
	var bits int
	switch {
	case a.Is4():
		return false
	case sixTo4.Contains(a):
		v4, bits = netip.AddrFrom4([4]byte(b[2:6])), sixTo4.Bits()
	case teredo.Contains(a):
		v4, bits = netip.AddrFrom4([4]byte(b[4:8])), teredo.Bits()
	default:
		return false
	}
	of := d.reader.Lookup(v4)
	return of.Found() && of.Offset() == r.Offset() && of.Prefix().Bits()+bits == r.Prefix().Bits()
}
