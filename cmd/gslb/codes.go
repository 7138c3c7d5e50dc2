package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gslb/conf/codes"
	"gslb/internal/cli"
)

// An explained is what --explain says, as JSON.
type explained struct {
	FormatVersion int         `json:"format_version"`
	Codes         []codeEntry `json:"codes"`
}

type codeEntry struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Page  string `json:"page,omitempty"` // left out of the list
}

// explainCode writes the page of a diagnostic's code, or the list of all.
func explainCode(out io.Writer, code string, asJSON bool) error {
	var found []codeEntry
	if code == "list" {
		for _, e := range codes.All() {
			found = append(found, codeEntry{Code: e.Code, Title: e.Title})
		}
	} else {
		page, ok := codes.Page(code)
		if !ok {
			return noCode(code)
		}
		title, _, _ := strings.Cut(page, "\n")
		found = []codeEntry{{codes.Code(code), strings.TrimPrefix(title, codes.Code(code)+" "), page}}
	}
	switch {
	case asJSON:
		text, err := json.MarshalIndent(explained{1, found}, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", text)
	case code == "list":
		for _, e := range found {
			fmt.Fprintf(out, "%s  %s\n", e.Code, e.Title)
		}
	default:
		fmt.Fprint(out, found[0].Page)
	}
	return nil
}

// noCode is the error for a code without a page.
func noCode(code string) error {
	var near []string
	for _, e := range codes.Near(code) {
		near = append(near, "  "+e.Code+"  "+e.Title)
	}
	return fmt.Errorf("there is no code %s; near it are\n%s\n'gslb validate --explain list' lists all", codes.Code(code), strings.Join(near, "\n"))
}

// explainArgs wants paths, or a code to explain and no paths.
func explainArgs(code string, paths []string) error {
	switch {
	case code != "" && len(paths) > 0:
		return cli.Usagef("--explain %s explains a code and reads no files: leave %s out", code, strings.Join(paths, ", "))
	case code == "" && len(paths) == 0:
		return cli.Usagef("requires at least 1 arg(s), only received 0")
	}
	return nil
}
