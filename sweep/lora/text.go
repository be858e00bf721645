package lora

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

func MapSlice[T, U any](values []T, f func(T) U) []U {
	mapped := make([]U, len(values))
	for i, v := range values {
		mapped[i] = f(v)
	}
	return mapped
}

func FormatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// quoteText writes text bare where a list of such texts stays unambiguous, and quoted elsewhere.
func QuoteText(s string) string {
	if s == "" || strings.ContainsAny(s, " ,[]{}\"'\\\n\t") {
		return strconv.Quote(s)
	}
	return s
}

// quotedTextLength is how many characters of a value a message shows.
const quotedTextLength = 40

func Shorten(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= quotedTextLength {
		return text
	}
	return string([]rune(text)[:quotedTextLength]) + "…"
}

func JoinInts(values []int) string {
	return "[" + strings.Join(strings.Fields(strings.Trim(fmt.Sprint(values), "[]")), ", ") + "]"
}
