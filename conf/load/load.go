// Package load reads topology files and the environment from this machine
// into a [conf.Source]. What they mean is package conf's business.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"gslb/conf"
)

// What reading may cost.
const (
	MaxBytes = 16 << 20 // of all files of a topology together
	maxText  = 1 << 20  // of one text that file() gives
	maxFiles = 10_000
	maxDepth = 8 // of texts that lead to texts
)

// Values are the values of variables that a user gives.
type Values struct {
	Vars  map[string]string // by name
	Files []string          // of values: name = value
}

// Read reads files and directories, and what they include. Of a directory it
// reads every *.hcl and *.hcl.json in it, in the order of their names; all of it
// is one topology. What cannot be read is among the source's Problems, for
// [conf.Parse] to say.
func Read(paths []string, values Values) conf.Source {
	r := files(paths, values)
	r.beside()
	return r.src
}

// Again is [Read] for those who look often whether something has changed: as
// long as the files say what they said before, what else they name is known.
func Again(before conf.Source, paths []string, values Values) conf.Source {
	r := files(paths, values)
	if !same(r.src.Files, before.Files) || !same(r.src.VarFiles, before.VarFiles) || !r.texts(before) {
		r.beside()
	}
	return r.src
}

func same(a, b []conf.File) bool {
	return slices.EqualFunc(a, b, func(a, b conf.File) bool { return a.Name == b.Name && bytes.Equal(a.Data, b.Data) })
}

// texts takes over what was beside the files before, and reports whether it is
// all there still and no more has come.
func (r *reader) texts(before conf.Source) bool {
	if len(r.src.Files) == 0 {
		return true
	}
	dir := filepath.Dir(r.src.Files[0].Name)
	for path, text := range before.Texts {
		if data, err := regular(within(path, dir), maxText); err != nil || string(data) != text {
			return false
		}
	}
	for path, reason := range before.Unread {
		if reason != "" && readable(path, dir) == "" {
			return false
		}
	}
	r.src.Texts, r.src.Unread = before.Texts, before.Unread
	return true
}

// A Reader is Read for the same files again and again. Its Parse, and what it
// does to find out what else is to be read, costs what has changed since the
// last time. The zero value has read nothing yet. It belongs to one goroutine.
type Reader struct {
	conf.Memory
	texts []string // paths that file() has taken
}

// Read is [Read].
func (r *Reader) Read(paths []string, values Values) conf.Source {
	run := files(paths, values)
	run.wanted, run.taken = r.Wanted, r.texts
	run.beside()
	r.texts = slices.Sorted(maps.Keys(run.src.Texts))
	return run.src
}

// files reads all but what is beside them.
func files(paths []string, values Values) *reader {
	r := &reader{left: MaxBytes, seen: map[string]bool{}, wanted: conf.Wanted}
	r.src.Vars, r.src.Env = values.Vars, map[string]string{}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			r.src.Env[k] = v
		}
	}
	for _, path := range paths {
		r.add(path, conf.Include{})
	}
	for _, path := range values.Files {
		if f := r.file(path, conf.Include{}, true); f != nil {
			r.src.VarFiles = append(r.src.VarFiles, *f)
		}
	}
	return r
}

// A reader is one run of Read.
type reader struct {
	src    conf.Source
	left   int64
	seen   map[string]bool // files read, by absolute name
	wanted func(conf.Source) (texts, paths []string)
	taken  []string // paths that file() took at the last reading
}

// add reads what a path stands for and what that includes.
func (r *reader) add(path string, by conf.Include) {
	names, reason := expand(path)
	if reason != "" {
		r.src.Problems = append(r.src.Problems, conf.Problem{By: by, Name: path, Reason: reason})
		return
	}
	for _, name := range names {
		key, err := filepath.Abs(name)
		if err != nil {
			key = name
		}
		if r.seen[key] && by != (conf.Include{}) {
			continue // two files may include each other
		}
		r.seen[key] = true
		if len(r.src.Files) >= maxFiles {
			r.src.Problems = append(r.src.Problems, conf.Problem{By: by, Name: name, Reason: fmt.Sprintf("a topology has at most %d files", maxFiles), Large: true})
			return
		}
		// What a user names may be a pipe or the standard input.
		f := r.file(name, by, by == (conf.Include{}) && name == path)
		if f == nil {
			continue
		}
		r.src.Files = append(r.src.Files, *f)
		if !mayInclude(*f) {
			continue // saves a reading
		}
		for _, in := range conf.Includes(*f) {
			inner := in.Path
			if !filepath.IsAbs(inner) {
				inner = filepath.Join(filepath.Dir(name), inner)
			}
			r.add(inner, in)
		}
	}
}

// mayInclude reports whether a file may have include blocks. One begins its
// line, or stands behind a comment.
func mayInclude(f conf.File) bool {
	if strings.HasSuffix(f.Name, ".json") {
		return bytes.Contains(f.Data, []byte("include"))
	}
	for at := 0; ; {
		i := bytes.Index(f.Data[at:], []byte("include"))
		if i < 0 {
			return false
		}
		at += i
		front := f.Data[bytes.LastIndexByte(f.Data[:at], '\n')+1 : at]
		if len(bytes.TrimSpace(front)) == 0 || bytes.Contains(front, []byte("*/")) || bytes.HasPrefix(front, []byte("\xef\xbb\xbf")) {
			return true
		}
		at++
	}
}

// expand lists the files a path stands for, or says why it stands for none.
func expand(path string) (names []string, reason string) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?[") {
		names, err := filepath.Glob(path) // sorted
		if err != nil {
			return nil, "not a pattern"
		}
		if len(names) == 0 {
			return nil, "no file is called so"
		}
		return names, ""
	}
	if err != nil {
		return nil, cause(err)
	}
	if !info.IsDir() {
		return []string{path}, ""
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, cause(err)
	}
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, ".") || !(strings.HasSuffix(n, ".hcl") || strings.HasSuffix(n, ".hcl.json")) {
			continue
		}
		name := filepath.Join(path, n)
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, "no *.hcl or *.hcl.json in this directory"
	}
	return names, ""
}

// cause is why the system refused, without what it was asked for.
func cause(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}

// file reads one file, of any kind when a user named it; nil when it cannot be
// read, which is a problem.
func (r *reader) file(name string, by conf.Include, named bool) *conf.File {
	read := regular
	if named {
		read = slurp
	}
	data, err := read(name, r.left)
	if err != nil {
		problem := conf.Problem{By: by, Name: name, Reason: cause(err)}
		if errors.Is(err, errLarge) {
			problem.Reason, problem.Large = fmt.Sprintf("the files have more than %d MB together", MaxBytes>>20), true
		}
		r.src.Problems = append(r.src.Problems, problem)
		return nil
	}
	r.left -= int64(len(data))
	return &conf.File{Name: name, Data: data}
}

var (
	errLarge = errors.New("too large")
	errKind  = errors.New("it is not a regular file")
)

// regular is slurp for what files name: opening a pipe waits for its other
// end, and a device may act.
func regular(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() { // a directory says so itself
		return nil, errKind
	}
	return slurp(name, limit)
}

// slurp reads a file of at most limit bytes.
func slurp(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		data.Grow(int(min(info.Size(), limit)) + bytes.MinRead)
	}
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > limit {
		return nil, errLarge
	}
	return data.Bytes(), nil
}

// beside reads what the topology names beside its files: the texts of file(),
// and whether what nodes will read can be read here.
func (r *reader) beside() {
	named := func(f conf.File) bool {
		for _, word := range []string{"file", "geoip", "cluster"} {
			if bytes.Contains(f.Data, []byte(word)) {
				return true
			}
		}
		return false
	}
	some := false
	for _, f := range r.src.Files {
		some = some || named(f)
	}
	if !some {
		return // saves a reading
	}
	dir := filepath.Dir(r.src.Files[0].Name)
	r.src.Texts, r.src.Unread = map[string]string{}, map[string]string{}
	for _, path := range r.taken {
		r.text(path, dir)
	}
	for range maxDepth {
		texts, paths := r.wanted(r.src)
		for _, path := range paths {
			r.src.Unread[path] = readable(path, dir)
		}
		more := false
		for _, path := range texts {
			if r.src.Unread[path] == "" && r.text(path, dir) {
				more = true
			}
		}
		if !more {
			return
		}
	}
}

// text reads a text of file(). It reports whether it could.
func (r *reader) text(path, dir string) bool {
	data, err := regular(within(path, dir), min(r.left, maxText))
	switch {
	case errors.Is(err, errLarge):
		r.src.Unread[path] = fmt.Sprintf("it has more than %d bytes", min(r.left, maxText))
	case err != nil:
		r.src.Unread[path] = cause(err)
	case !utf8.Valid(data):
		r.src.Unread[path] = "it is not text in UTF-8"
	default:
		r.left -= int64(len(data))
		r.src.Texts[path] = string(data)
		return true
	}
	return false
}

func within(path, dir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readable says why a file cannot be read here, "" when it can.
func readable(path, dir string) string {
	name := within(path, dir)
	info, err := os.Stat(name)
	if err != nil {
		return cause(err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() { // keys may be a directory of them
		return errKind.Error()
	}
	f, err := os.Open(name)
	if err != nil {
		return cause(err)
	}
	f.Close()
	return ""
}
