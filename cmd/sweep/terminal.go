package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/ranksweep/ranksweep/sweep/report"
)

// printable writes out what would steer a terminal: control characters, marks that turn the direction of text, and bytes that are no text.
// Names, errors and logs come from files that others wrote.
func printable(s string) string {
	if !strings.ContainsFunc(s, report.Hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strings.HasPrefix(s, "\r\n"):
		case report.Hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// styled is printable but for the program's own bold and green, which a name may thus have too, and no more.
func styled(s string) string {
	var b strings.Builder
	from := 0
	for _, at := range regexp.MustCompile("\x1b\\[(0|1|32;1)m").FindAllStringIndex(s, -1) {
		b.WriteString(printable(s[from:at[0]]) + s[at[0]:at[1]])
		from = at[1]
	}
	return b.String() + printable(s[from:])
}

// forPeople makes text printable, whatever w is: what is piped is read on a terminal too. Where w is one, lines are broken at spaces. A
// password in an address, which libraries cite in their errors, is left out.
func forPeople(w io.Writer, text string) string {
	text = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`).ReplaceAllString(text, "${1}xxxxx@")
	return wrapLines(printable(text), columnsOf(w))
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

// wrapLines breaks lines at spaces to so many columns, 0 meaning any number. Lines that fit, as those of tables do, stay as they are.
func wrapLines(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	const hyphen, kept, noBreak = "-", "\u2011", "\u00a0" // that of a flag, a date or a path is no place to break at, nor is a number's space
	if strings.Contains(text, kept) || strings.Contains(text, noBreak) {
		return ansi.Wrap(text, columns, "")
	}
	number := regexp.MustCompile(`(\d) (\d{3}\b|%|[KMGT]iB)`)
	for range 2 { // of 1 234 567 the first finds 1 234
		text = number.ReplaceAllString(text, "$1"+noBreak+"$2")
	}
	return strings.NewReplacer(kept, hyphen, noBreak, " ").Replace(ansi.Wrap(strings.ReplaceAll(text, hyphen, kept), columns, ""))
}

// printableWriter writes what is printable of text that comes in pieces.
type printableWriter struct {
	w    io.Writer
	rest []byte // of a character that a piece ended in
}

func (p *printableWriter) Write(b []byte) (int, error) {
	text := append(p.rest, b...)
	end := len(text)
	for k := 1; k < utf8.UTFMax && k <= len(text); k++ {
		if tail := text[len(text)-k:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) || tail[0] == '\r' {
				end = len(text) - k
			}
			break
		}
	}
	p.rest = append([]byte(nil), text[end:]...)
	_, err := io.WriteString(p.w, printable(string(text[:end])))
	return len(b), err
}
