package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexeme takes one token of an expression and returns its length.
func (l *lexer) lexeme(s string) (int, error) {
	first, _ := utf8.DecodeRuneInString(s)
	switch {
	case '0' <= first && first <= '9':
		return l.numeral(s)
	case first == '\'' || first == '"':
		return l.quoted(s)
	case first == '_' || unicode.IsLetter(first):
		n := strings.IndexFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(s)
		}
		l.emit(kindName, s[:n])
		return n, nil
	}
	for n := 2; n >= 1; n-- {
		if len(s) >= n && isOperator(s[:n]) {
			l.emit(kindOperator, s[:n])
			return n, nil
		}
	}
	return 0, fmt.Errorf("unexpected character %q", first)
}

func isOperator(s string) bool {
	switch s {
	case "//", "**", "==", "!=", ">=", "<=":
		return true
	}
	return len(s) == 1 && strings.Contains("+-/*%~[](){}><=.:|,;", s)
}

// numeral takes a decimal integer or float.
func (l *lexer) numeral(s string) (int, error) {
	n := digits(s)
	isFloat := false
	if afterDot := l.at > 0 && l.source[l.at-1] == '.'; !afterDot {
		if m := digits(s[min(n+1, len(s)):]); n < len(s) && s[n] == '.' && m > 0 {
			n, isFloat = n+1+m, true
		}
		if m := exponent(s[n:]); m > 0 {
			n, isFloat = n+m, true
		}
	}
	if n < len(s) && (s[n] == '_' || unicode.IsLetter(rune(s[n]))) {
		return 0, fmt.Errorf("number %q: only decimal numbers without underscores are supported", s[:n+1])
	}
	t := token{kind: kindNumber, text: s[:n], line: l.line}
	var err error
	if isFloat {
		t.number, err = strconv.ParseFloat(s[:n], 64)
	} else {
		t.number, err = strconv.ParseInt(s[:n], 10, 64)
	}
	if err != nil {
		return 0, fmt.Errorf("number %s is too large", s[:n])
	}
	l.tokens = append(l.tokens, t)
	return n, nil
}

func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

func exponent(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	if m := digits(s[n:]); m > 0 {
		return n + m
	}
	return 0
}

// quoted takes a string literal with Python's escapes.
func (l *lexer) quoted(s string) (int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			l.emit(kindString, b.String())
			return i + 1, nil
		case '\\':
			n, err := unescape(&b, s[i+1:])
			if err != nil {
				return 0, err
			}
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return 0, fmt.Errorf("a string has no end: close it with %c", s[0])
}

// unescape writes what an escape stands for and returns its length after the backslash.
func unescape(b *strings.Builder, s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	const plain, meaning = `\'"abfnrtv`, "\\'\"\a\b\f\n\r\t\v"
	if i := strings.IndexByte(plain, s[0]); i >= 0 {
		b.WriteByte(meaning[i])
		return 1, nil
	}
	var length int
	switch s[0] {
	case '\n':
		return 1, nil
	case 'x':
		length = 2
	case 'u':
		length = 4
	case 'U':
		length = 8
	case 'N':
		return 0, fmt.Errorf(`\N{…} in a string is not supported: write the character itself`)
	default:
		octal := 0
		for octal < min(3, len(s)) && '0' <= s[octal] && s[octal] <= '7' {
			octal++
		}
		if octal == 0 { // not an escape: the backslash stands for itself
			b.WriteByte('\\')
			return 0, nil
		}
		code, err := strconv.ParseUint(s[:octal], 8, 32)
		b.WriteRune(rune(code))
		return octal, err
	}
	if len(s) < 1+length {
		return 0, fmt.Errorf(`truncated \%c escape`, s[0])
	}
	code, err := strconv.ParseUint(s[1:1+length], 16, 32)
	if err != nil || !utf8.ValidRune(rune(code)) {
		return 0, fmt.Errorf(`\%s is not a character`, s[:1+length])
	}
	b.WriteRune(rune(code))
	return 1 + length, nil
}
