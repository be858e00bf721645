package lora

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FormatNumber writes a number with as many digits as it takes to read it back.
func FormatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// QuoteText writes text bare where a list of such texts stays unambiguous, and quoted elsewhere.
func QuoteText(s string) string {
	if s == "" || strings.ContainsAny(s, " ,[]{}\"'\\\n\t") {
		return strconv.Quote(s)
	}
	return s
}

// quotedTextLength is how many characters of a value a message shows.
const quotedTextLength = 40

// Shorten draws a value together for a message.
func Shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= quotedTextLength {
		return text
	}
	return string([]rune(text)[:quotedTextLength]) + "…"
}

// JoinInts writes a list as a grid file does: [1, 2, 4].
func JoinInts(values []int) string {
	return "[" + strings.Join(strings.Fields(strings.Trim(fmt.Sprint(values), "[]")), ", ") + "]"
}
