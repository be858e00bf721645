package records

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// errCutJSON marks JSON that ends before it is complete.
var errCutJSON = errors.New("not a row of jsonl: the file ends within it: is it complete?")

// jsonScanner takes a stream of JSON apart into values without decoding them: encoding/json tells whether each is one.
type jsonScanner struct {
	r     *bufio.Reader
	line  int    // of the next byte, from 1
	bytes int64  // so far
	buf   []byte // the last value
}

func newJSONScanner(r io.Reader) *jsonScanner {
	return &jsonScanner{r: bufio.NewReaderSize(r, headSize), line: 1}
}

// peek returns the next byte that is no white space, without consuming it.
func (s *jsonScanner) peek() (byte, error) {
	for {
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			s.bytes--
			return c, s.r.UnreadByte()
		}
	}
}

// byte consumes a byte.
func (s *jsonScanner) byte() (byte, error) {
	c, err := s.r.ReadByte()
	if err != nil {
		return 0, err
	}
	s.bytes++
	if c == '\n' {
		s.line++
	}
	return c, nil
}

// keep consumes a byte of the value.
func (s *jsonScanner) keep() (byte, error) {
	c, err := s.byte()
	switch {
	case errors.Is(err, io.EOF):
		return 0, errCutJSON
	case err != nil:
		return 0, err
	case len(s.buf) >= maxRecord:
		return 0, errLong
	}
	s.buf = append(s.buf, c)
	return c, nil
}

// value reads the next value into buf: up to its closing bracket or quote, or up to what ends a number or a word. It fails with
// io.EOF where there is none.
func (s *jsonScanner) value() error {
	s.buf = s.buf[:0]
	if _, err := s.peek(); err != nil {
		return err
	}
	for open := 0; ; {
		c, err := s.keep()
		switch {
		case err != nil:
			return err
		case c == '"':
			err = s.text()
		case c == '{' || c == '[':
			open++
		case c == '}' || c == ']':
			open--
		case open == 0:
			err = s.word()
		}
		if err != nil || open <= 0 {
			return err
		}
	}
}

// text is the rest of a string.
func (s *jsonScanner) text() error {
	for {
		c, err := s.keep()
		if err == nil && c == '\\' {
			_, err = s.keep()
		}
		if err != nil || c == '"' {
			return err
		}
	}
}

// word is the rest of a number or of a word.
func (s *jsonScanner) word() error {
	for {
		next, err := s.r.Peek(1)
		if errors.Is(err, io.EOF) || err == nil && slices.Contains([]byte(" \t\r\n,:{}[]\""), next[0]) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.keep(); err != nil {
			return err
		}
	}
}

// wrappers are the keys under which a data set may stand in an object (what field names in Hugging Face's datasets).
func wrappers() []string {
	return []string{"data", "dataset", "train", "validation", "test", "rows", "examples", "instances", "items", "records", "samples"}
}

// wrapper returns the key under which an object holds a list of objects, as far as its beginning tells; "" where it does not.
func wrapper(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	depth, key := 0, ""
	for {
		t, err := d.Token()
		if err != nil {
			return ""
		}
		switch {
		case t == json.Delim('{') && depth == 2 && key != "":
			return key
		case t == json.Delim('{') || t == json.Delim('['):
			depth++
		case t == json.Delim('}') || t == json.Delim(']'):
			depth--
		}
		if name, ok := t.(string); ok && depth == 1 && slices.Contains(wrappers(), name) {
			key = name
		} else if t != json.Delim('[') || depth != 2 {
			key = ""
		}
	}
}
