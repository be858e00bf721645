package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind says what a token is.
type kind uint8

const (
	kindEOF kind = iota
	kindData
	kindVariableBegin
	kindVariableEnd
	kindBlockBegin
	kindBlockEnd
	kindName
	kindString
	kindNumber
	kindOperator
)

// token is a piece of a template. text is what a string stands for, not how it is written; number is an int64 or a float64.
type token struct {
	kind   kind
	text   string
	number any
	line   int
}

// lexer follows jinja2/lexer.py (3.1) with trim_blocks and lstrip_blocks on.
type lexer struct {
	source string
	at     int
	line   int
	fresh  bool // the last match ended a line, so that white space before a tag starts one
	tokens []token
}

func lex(source string) ([]token, error) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1, fresh: true}
	for l.at < len(l.source) {
		if err := l.next(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	return append(l.tokens, token{kind: kindEOF, line: l.line}), nil
}

// next takes the text up to the next tag, and the tag.
func (l *lexer) next() error {
	rest := l.source[l.at:]
	start := nextTag(rest)
	if start < 0 {
		l.emit(kindData, rest)
		l.advance(len(rest))
		return nil
	}
	tag := rest[start : start+2]
	sign := byte(0)
	if start+2 < len(rest) && (rest[start+2] == '-' || rest[start+2] == '+') {
		sign = rest[start+2]
	}
	l.emit(kindData, stripBefore(rest[:start], sign, tag != "{{", l.fresh))
	length := start + 2
	if sign != 0 {
		length++
	}
	l.advance(length)
	switch tag {
	case "{#":
		return l.comment()
	case "{{":
		return l.expression(kindVariableBegin, kindVariableEnd, "}}")
	}
	if n := rawBegin(l.source[l.at:]); n > 0 {
		l.advance(n)
		return l.raw()
	}
	return l.expression(kindBlockBegin, kindBlockEnd, "%}")
}

// nextTag returns where the first {{, {% or {# is, or -1.
func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && strings.IndexByte("{%#", s[i+1]) >= 0 {
			return i
		}
	}
	return -1
}

// stripBefore is what remains of the text before a tag: "-" takes all white space, lstrip_blocks the blanks before a
// block that begins its line.
func stripBefore(text string, sign byte, block, fresh bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || !block:
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || fresh) && strings.TrimFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// advance moves over n bytes.
func (l *lexer) advance(n int) {
	if n > 0 {
		l.fresh = l.source[l.at+n-1] == '\n'
	}
	l.line += strings.Count(l.source[l.at:l.at+n], "\n")
	l.at += n
}

func (l *lexer) emit(k kind, text string) {
	if text != "" || k != kindData {
		l.tokens = append(l.tokens, token{kind: k, text: text, line: l.line})
	}
}

// closing returns the length of a tag's end at the start of s with what it strips, or 0. trim is trim_blocks: variables
// keep the line end that follows.
func closing(s, end string, trim bool) int {
	if strings.HasPrefix(s, "-"+end) {
		n := 1 + len(end)
		return n + len(s[n:]) - len(strings.TrimLeftFunc(s[n:], isSpace))
	}
	if trim && strings.HasPrefix(s, "+"+end) {
		return 1 + len(end)
	}
	if !strings.HasPrefix(s, end) {
		return 0
	}
	if n := len(end); trim && n < len(s) && s[n] == '\n' {
		return n + 1
	}
	return len(end)
}

func (l *lexer) comment() error {
	rest := l.source[l.at:]
	end := strings.Index(rest, "#}")
	if end < 0 {
		return fmt.Errorf("a comment has no end: close it with #}")
	}
	if end > 0 && (rest[end-1] == '-' || rest[end-1] == '+') {
		end--
	}
	l.advance(end + closing(rest[end:], "#}", true))
	return nil
}

// rawBegin returns the length of `raw %}` at the start of s, or 0. Unlike other blocks it keeps the line end.
func rawBegin(s string) int {
	rest := strings.TrimLeftFunc(s, isSpace)
	rest, ok := strings.CutPrefix(rest, "raw")
	if !ok {
		return 0
	}
	rest = strings.TrimLeftFunc(rest, isSpace)
	n := closing(rest, "%}", false)
	if n == 0 {
		return 0
	}
	return len(s) - len(rest) + n
}

func (l *lexer) raw() error {
	rest := l.source[l.at:]
	for from := 0; ; {
		begin := strings.Index(rest[from:], "{%")
		if begin < 0 {
			return fmt.Errorf("a raw block has no end: close it with {%% endraw %%}")
		}
		begin += from
		from = begin + 2
		tail, sign := rest[from:], byte(0)
		if tail != "" && (tail[0] == '-' || tail[0] == '+') {
			tail, sign = tail[1:], tail[0]
		}
		tail, ok := strings.CutPrefix(strings.TrimLeftFunc(tail, isSpace), "endraw")
		tail = strings.TrimLeftFunc(tail, isSpace)
		n := closing(tail, "%}", true)
		if !ok || n == 0 {
			continue
		}
		l.emit(kindData, stripBefore(rest[:begin], sign, true, l.fresh))
		l.advance(len(rest) - len(tail) + n)
		return nil
	}
}

// expression takes the tokens of a {{ }} or {% %} up to its end, which counts only outside of brackets.
func (l *lexer) expression(begin, end kind, close string) error {
	l.emit(begin, "")
	var open []byte
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		if n := closing(rest, close, end == kindBlockEnd); n > 0 && len(open) == 0 {
			l.emit(end, "")
			l.advance(n)
			return nil
		}
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpace)); n > 0 {
			l.advance(n)
			continue
		}
		n, err := l.lexeme(rest)
		if err != nil {
			return err
		}
		if last := l.tokens[len(l.tokens)-1]; last.kind == kindOperator {
			if open, err = balance(open, last.text); err != nil {
				return err
			}
		}
		l.advance(n)
	}
	return fmt.Errorf("a tag has no end: close it with %s", close)
}

// balance keeps the brackets that wait for their partner.
func balance(open []byte, operator string) ([]byte, error) {
	switch operator {
	case "(":
		return append(open, ')'), nil
	case "[":
		return append(open, ']'), nil
	case "{":
		return append(open, '}'), nil
	case ")", "]", "}":
		if len(open) == 0 || open[len(open)-1] != operator[0] {
			return nil, fmt.Errorf("unexpected %q", operator)
		}
		return open[:len(open)-1], nil
	}
	return open, nil
}

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

// isSpace is Python's str.isspace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }
