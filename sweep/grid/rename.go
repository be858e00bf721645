package grid

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Renamed returns the text of a valid grid with another name in it, and nothing else changed. Where the grid has none it gets a first line.
// The result is to be parsed: a name that is written in an unusual way, as over two lines, may stay.
func Renamed(text, name string) string {
	root := newReader("").document([]byte(text))
	if root == nil {
		return text
	}
	at := slices.IndexFunc(root.Values, func(v *ast.MappingValueNode) bool { return v.Key.GetToken().Value == "name" })
	if at < 0 {
		return "name: " + strconv.Quote(name) + "\n" + text
	}
	t := root.Values[at].Value.GetToken()
	lines := strings.SplitAfter(text, "\n")
	line := []rune(lines[t.Position.Line-1])
	start := t.Position.Column - 1
	end := start + len([]rune(t.Value))
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		end += 2
	}
	if start < 0 || end > len(line) {
		return text
	}
	lines[t.Position.Line-1] = string(line[:start]) + strconv.Quote(name) + string(line[end:])
	return strings.Join(lines, "")
}
