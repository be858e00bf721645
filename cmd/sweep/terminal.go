package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// printable writes out what would steer a terminal: control characters, marks that turn the direction of text, and bytes that are no text.
// Names, errors and logs come from files that others wrote.
func printable(s string) string {
	if !strings.ContainsFunc(s, steers) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && steers(r):
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case steers(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// terminalText is printable but for the bold of the program's own headings.
func terminalText(s string) string {
	const bold, plain = "\x1b[1m", "\x1b[0m"
	parts := strings.Split(s, bold)
	for i, part := range parts {
		ends := strings.Split(part, plain)
		for j, text := range ends {
			ends[j] = printable(text)
		}
		parts[i] = strings.Join(ends, plain)
	}
	return strings.Join(parts, bold)
}

// columnsOf is the width of the terminal that w is; 0 where it is none, or does not know.
func columnsOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
