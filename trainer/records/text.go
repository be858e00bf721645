package records

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// byteOrderMark may come before UTF-8 text and is no part of it.
const byteOrderMark = "\ufeff"

// maxUnpacked bounds what a compressed text file of so many bytes unpacks to, for it is read whole, and the tokenizer takes 30 bytes for
// each: a few kilobytes must not take the machine's memory. Prose shrinks to a quarter, logs to a twentieth; deflate could go to a
// thousandth.
func maxUnpacked(packed int64) int64 {
	const always, times, ever = 8 << 20, 32, 1 << 30
	return min(max(always, times*packed), ever)
}

// readText reads a whole file: a document is a file, and the tokenizer needs all of it at once.
func (in Input) readText(ctx context.Context) (Document, error) {
	c, err := in.open(ctx)
	if err != nil {
		return Document{}, err
	}
	defer c.close()
	var body strings.Builder
	most := in.Size
	if in.packed != "" {
		most = maxUnpacked(in.Size)
	} else {
		body.Grow(int(in.Size))
	}
	read, err := io.Copy(&body, io.LimitReader(c, most+1))
	if err != nil && in.packed != "" && ctx.Err() == nil {
		return Document{}, fmt.Errorf("%w: data file %s cannot be unpacked (is it complete?): %w", trial.ErrInput, in.Name, err)
	}
	if err != nil {
		return Document{}, fmt.Errorf("read data file %s: %w", in.Name, err)
	}
	if in.packed != "" && read > most {
		return Document{}, fmt.Errorf("%w: data file %s: more than %d MiB of text when unpacked, too much for %d bytes: if it is text, unpack it",
			trial.ErrInput, in.Name, most>>20, in.Size)
	}
	if err := c.verify(); err != nil {
		return Document{}, err
	}
	text := body.String()
	if !utf8.ValidString(text) {
		at := invalidAt(text)
		return Document{}, fmt.Errorf("%w: data file %s:%d: not UTF-8 text (byte %d of the file)", trial.ErrInput, in.Name,
			1+strings.Count(text[:at], "\n"), at)
	}
	return Document{Place: in.Name, Text: strings.TrimPrefix(text, byteOrderMark), Size: in.Size}, nil
}

// invalidAt returns where text stops being UTF-8.
func invalidAt(text string) int {
	for at, r := range text {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
			return at
		}
	}
	return len(text)
}

// checkText refuses bytes that are not UTF-8, which a decoder would replace silently.
func checkText(b []byte) error {
	if utf8.Valid(b) {
		return nil
	}
	return fmt.Errorf("not UTF-8 text (byte %d)", invalidAt(string(b)))
}
