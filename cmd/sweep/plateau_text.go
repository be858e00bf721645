package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxTable bounds what is read of a table of losses: a history of a thousand runs has a few megabytes.
const maxTable = 64 << 20

// readTable reads a table's text and finds what separates its fields: a tab or a semicolon where the header has more of them than
// commas.
func readTable(name string, r io.Reader) (text []byte, separator rune, err error) {
	text, err = io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	if err := foreign(text); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets put a byte order mark in front
	header, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), []byte("\n"))
	separator = ','
	for _, s := range ";\t" {
		if bytes.Count(header, []byte(string(s))) > bytes.Count(header, []byte(string(separator))) {
			separator = s
		}
	}
	return text, separator, nil
}

// foreign names what is no table in text.
func foreign(text []byte) error {
	switch {
	case len(text) > maxTable:
		return fmt.Errorf("a table of more than %d MiB: leave out the columns and runs that do not matter", maxTable>>20)
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return errors.New("the text is UTF-16: save it as CSV in UTF-8")
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		return errors.New("this is a spreadsheet or another zip archive: export it as CSV")
	}
	return nil
}
