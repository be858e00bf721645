package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func upper(s string) string { return cases.Upper(language.Und).String(s) }
func lower(s string) string { return cases.Lower(language.Und).String(s) }

func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return title(s[:n]) + lower(s[n:])
}

// title is one character's title case.
func title(s string) string { return cases.Title(language.Und, cases.NoLower).String(s) }

// titleWords is Python's str.title: every letter that follows none is in title case, the others in lower case.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		word := strings.IndexFunc(s, unicode.IsLetter)
		if word < 0 {
			word = len(s)
		}
		b.WriteString(s[:word])
		s = s[word:]
		end := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
		if end < 0 {
			end = len(s)
		}
		b.WriteString(capitalize(s[:end]))
		s = s[end:]
	}
	return b.String()
}

func strs(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// trim is str.strip: white space, or the characters of chars.
func trim(s, name string, chars any) (string, error) {
	in := isSpace
	switch c := chars.(type) {
	case string:
		in = func(r rune) bool { return strings.ContainsRune(c, r) }
	case nil, missing:
	default:
		return "", fmt.Errorf("needs a str, not a %s", typeName(chars))
	}
	if name != "rstrip" {
		s = strings.TrimLeftFunc(s, in)
	}
	if name != "lstrip" {
		s = strings.TrimRightFunc(s, in)
	}
	return s, nil
}

// splitBy splits at most this many times; a negative number is no limit.
func splitBy(s, sep string, most int, fromRight bool) []string {
	if most < 0 {
		return strings.Split(s, sep)
	}
	if !fromRight {
		return strings.SplitN(s, sep, most+1)
	}
	var out []string
	for range most {
		at := strings.LastIndex(s, sep)
		if at < 0 {
			break
		}
		out = append(out, s[at+len(sep):])
		s = s[:at]
	}
	out = append(out, s)
	slices.Reverse(out)
	return out
}

func splitWords(s string, most int, fromRight bool) []string {
	if most < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	trimNear, find := strings.TrimLeftFunc, strings.IndexFunc
	if fromRight {
		trimNear, find = strings.TrimRightFunc, strings.LastIndexFunc
	}
	var out []string
	for s = trimNear(s, isSpace); s != ""; s = trimNear(s, isSpace) {
		at := find(s, isSpace)
		if at < 0 || len(out) == most { // the rest keeps its white space
			out = append(out, s)
			break
		}
		if fromRight {
			_, size := utf8.DecodeRuneInString(s[at:])
			out, s = append(out, s[at+size:]), s[:at]
		} else {
			out, s = append(out, s[:at]), s[at:]
		}
	}
	if fromRight {
		slices.Reverse(out)
	}
	return out
}

// splitLines is str.splitlines.
func splitLines(s string) []string {
	var out []string
	for s != "" {
		at := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if at < 0 {
			return append(out, s)
		}
		out = append(out, s[:at])
		_, size := utf8.DecodeRuneInString(s[at:])
		if strings.HasPrefix(s[at:], "\r\n") {
			size = 2
		}
		s = s[at+size:]
	}
	return out
}

// titleFilter is jinja2's title, where other words begin than in str.title.
func titleFilter(s string) string {
	var b strings.Builder
	begins := true
	for _, r := range s {
		switch {
		case begins && !titleBreak(r):
			b.WriteString(upper(string(r)))
			begins = false
		default:
			b.WriteString(lower(string(r)))
			begins = titleBreak(r)
		}
	}
	return b.String()
}

func titleBreak(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) }
