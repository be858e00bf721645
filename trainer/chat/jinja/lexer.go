package jinja

import (
	"fmt"
	"strings"
	"unicode"
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

// isSpace is Python's str.isspace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }
