package grid

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// Bounds on a grid file, far above what a person writes and far below what hurts: the YAML parser recurses once per level
// and keeps every token.
const (
	MaxBytes        = 64 << 10 // of a grid file
	maxTokens       = 16 << 10 // the parser's time grows with their square in a flat mapping
	maxNesting      = 16       // of brackets and braces
	maxEntryMarkers = 8        // "- " and "? " on one line: each opens a level
	maxProblems     = 20       // reported at once
	byteOrderMark   = "\ufeff"
	maxLevenshtein  = 2
)

// position is a place in the grid file, both counted from 1, columns in characters.
type position struct{ line, column int }

// document returns the root mapping of a grid file, or nil with the reason reported.
func (r *reader) document(text []byte) *ast.MappingNode {
	if !r.checkText(text) {
		return nil
	}
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	tokens := tokenize(string(text))
	if !r.checkTokens(tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntaxError(err)
		return nil
	}
	return r.root(file)
}

// innerColon stands for a colon inside a word while the text is cut into tokens. It is a private-use character.
const innerColon = '\uE000'

// tokenize cuts a text into tokens. Between braces the lexer takes every colon for a key's end, so that it would read
// {train: builtin:go-doc} as a mapping in a mapping; in YAML 1.2 a colon before a word's next character is part of the word.
func tokenize(text string) token.Tokens {
	runes := []rune(text)
	for i := 1; i+1 < len(runes); i++ {
		if runes[i] == ':' && !strings.ContainsRune("\"'", runes[i-1]) && !strings.ContainsRune(" \t\r\n,[]{}", runes[i+1]) {
			runes[i] = innerColon
		}
	}
	tokens := lexer.Tokenize(string(runes))
	for _, t := range tokens {
		t.Value = strings.ReplaceAll(t.Value, string(innerColon), ":")
		t.Origin = strings.ReplaceAll(t.Origin, string(innerColon), ":")
	}
	return tokens
}

// checkText refuses what is no small text file.
func (r *reader) checkText(text []byte) bool {
	if len(text) > MaxBytes {
		r.failAt(position{}, "the file has more than %d bytes, the most that a grid may have", MaxBytes)
		return false
	}
	for i, line := range strings.Split(string(text), "\n") {
		if !utf8.ValidString(line) {
			valid := strings.ToValidUTF8(line, "\uFFFD")
			r.failAt(position{i + 1, utf8.RuneCountInString(valid[:strings.IndexRune(valid, '\uFFFD')]) + 1},
				"the file is not UTF-8; save it as UTF-8 text")
			return false
		}
		if at := strings.IndexFunc(line, func(c rune) bool { return c < ' ' && c != '\t' && c != '\r' || c == innerColon }); at >= 0 {
			r.failAt(position{i + 1, utf8.RuneCountInString(line[:at]) + 1}, "the file holds a control character; save it as plain text")
			return false
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if at := strings.IndexByte(indent, '\t'); at >= 0 && strings.TrimSpace(line) != "" {
			r.failAt(position{i + 1, at + 1}, "a tab in the indentation; YAML wants spaces")
			return false
		}
	}
	return true
}

// checkTokens refuses what could make a small file large or deep, before the parser sees it.
func (r *reader) checkTokens(tokens token.Tokens) bool {
	if len(tokens) > maxTokens {
		r.failAt(position{}, "the file has %d words and signs; a grid has at most %d", len(tokens), maxTokens)
		return false
	}
	depth, markers, line := 0, 0, 0
	for _, t := range tokens {
		at := position{t.Position.Line, t.Position.Column}
		if t.Position.Line != line {
			line, markers = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.MergeKeyType:
			r.failAt(at, "%s: anchors and merge keys are not part of a grid; write the value out", t.Value)
			return false
		case token.AliasType:
			r.failAt(at, "* starts a YAML alias, which is not part of a grid; quote a pattern such as \"*.jsonl\"")
			return false
		case token.TagType, token.DirectiveType:
			r.failAt(at, "%s: tags and directives are not part of a grid; remove it", t.Value)
			return false
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType:
			markers++
		default: // every other token neither nests nor refers
		}
		if depth > maxNesting || markers > maxEntryMarkers {
			r.failAt(at, "nested too deep; a grid needs no more than two levels of lists")
			return false
		}
	}
	return true
}

func (r *reader) syntaxError(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		r.failAt(position{}, "not YAML: %v", err)
		return
	}
	at := position{syntax.Token.Position.Line, syntax.Token.Position.Column}
	message := strings.ReplaceAll(syntax.Message, "\n", " ")
	if strings.Contains(message, "mapping value is not allowed") {
		message += "; quote text that holds a colon and a space, and align keys"
	}
	r.failAt(at, "not YAML: %s", message)
}

// root returns the one mapping that a grid file is.
func (r *reader) root(file *ast.File) *ast.MappingNode {
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		r.failAt(position{1, 1}, "the file is empty; a grid needs at least %s", strings.Join(requiredPaths(), ", "))
		return nil
	case len(bodies) > 1:
		r.fail(bodies[1], "a second YAML document; a grid file holds one")
		return nil
	}
	m, ok := bodies[0].(*ast.MappingNode)
	if !ok {
		r.fail(bodies[0], "got %s, want a mapping of keys such as model, data, lora and train", describe(bodies[0]))
		return nil
	}
	return m
}

// where returns the place of a node: a block mapping's token is its first colon, so its first key stands for it.
func where(n ast.Node) position {
	t := n.GetToken()
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			t = n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		t = n.Key.GetToken()
	}
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// plain returns the text of an unquoted scalar on one line.
func plain(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.StringNode:
		return n.Value, n.Token.Type == token.StringType
	}
	return "", false
}

// describe names a value in a message.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		if n.Token.Type != token.StringType {
			return "the text " + lora.Shorten(fmt.Sprintf("%q", n.Value))
		}
		return lora.Shorten(n.Value)
	case *ast.LiteralNode:
		return "a block of text"
	}
	if text, ok := plain(n); ok {
		return lora.Shorten(text)
	}
	return "a " + strings.ToLower(n.Type().YAMLName())
}

func isSequence(n ast.Node) bool {
	_, ok := n.(*ast.SequenceNode)
	return ok
}
