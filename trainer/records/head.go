package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// headSize is how much of a file is looked at to tell what it is.
const headSize = 64 << 10

// head is a file's beginning.
type head struct {
	packed compression
	text   []byte // unpacked
	whole  bool   // there is no more
}

// readHead reads a file's beginning. What is damaged is left to who reads the file.
func readHead(path string) (head, error) {
	f, err := trial.OpenInput(path)
	if err != nil {
		return head{}, missing(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	var magic [16]byte
	n, err := io.ReadFull(f, magic[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return head{}, missing(path, err)
	}
	h := head{packed: compressionOf(magic[:n])}
	body, err := h.packed.unpack(io.MultiReader(bytes.NewReader(magic[:n]), f))
	if err != nil {
		return h, nil // open says it
	}
	defer body.Close() //nolint:errcheck // only read
	text := make([]byte, headSize)
	n, err = io.ReadFull(body, text)
	h.text, h.whole = text[:n], errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	return h, nil
}

// lfsPointer is how a pointer of Git LFS begins (its specification, version 1).
const lfsPointer = "version https://git-lfs.github.com/spec/"

// objectBegins matches the beginning of an object with a key, alone or in an array.
var objectBegins = regexp.MustCompile(`^\s*(\[\s*)?\{\s*"(?:[^"\\\n]|\\.)*"\s*:`)

// kind corrects what the file's name says.
func (h head) kind(named Kind) (Kind, error) {
	text := bytes.TrimPrefix(h.text, []byte(byteOrderMark))
	switch {
	case bytes.HasPrefix(text, []byte(lfsPointer)):
		return "", errors.New("a Git LFS pointer, not the data: fetch the file with git lfs pull")
	case bytes.HasPrefix(text, []byte("PAR1")) && h.packed == "":
		return KindParquet, nil
	case named == KindParquet && h.packed != "":
		return "", fmt.Errorf("parquet compresses its own pages: unpack the %s", h.packed)
	case named == KindParquet:
		return KindParquet, nil
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", errors.New("UTF-16 text: save it as UTF-8, for instance with iconv -f UTF-16 -t UTF-8")
	case named == KindText && bytes.IndexByte(text, 0) >= 0:
		return "", errors.New("it has a byte of 0, so it is no UTF-8 text: if it is UTF-16, save it as UTF-8; other formats are not read")
	case named == KindJSONL || objectBegins.Match(text):
		return jsonKind(text), nil
	case named == KindText:
		return textKind(text), nil
	}
	return named, nil
}

// jsonKind tells an object a line from other ways to write several.
func jsonKind(text []byte) Kind {
	text = bytes.TrimLeft(text, " \t\r\n")
	line, rest, more := bytes.Cut(text, []byte("\n"))
	s := newJSONScanner(bytes.NewReader(line))
	switch complete := s.value() == nil; {
	case bytes.HasPrefix(text, []byte("[")):
		return KindJSON
	case !complete && more, wrapper(text) != "" && (!complete || len(bytes.TrimSpace(rest)) == 0):
		return KindJSON
	}
	return KindJSONL
}

// textKind finds a table under a name that does not say so: a first row of several columns, with those of a form that takes two.
func textKind(text []byte) Kind {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for _, separator := range []byte{'\t', ',', ';'} {
		names, err := newCSVReader(bytes.NewReader(line), separator).record()
		has := func(name string) bool { return slices.Contains(names, name) }
		_, ok, _ := instructionColumns(has)
		if err == nil && (ok || has("prompt") && has("completion")) {
			return KindCSV
		}
	}
	return KindText
}
