package sweep

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// alpha is a value of lora.alpha: a number, or, per rank, a multiple of it ("2r").
type alpha struct {
	value   float64
	perRank bool
}

// at returns the alpha of one rank.
func (a alpha) at(rank int) float64 {
	if a.perRank {
		return a.value * float64(rank)
	}
	return a.value
}

func (a alpha) String() string {
	if a.perRank {
		return formatNumber(a.value) + "r"
	}
	return formatNumber(a.value)
}

func alphaCodec() codec[alpha] {
	return codec[alpha]{
		want: "a number above 0, or a multiple of the rank such as 2r",
		schema: schemaObject{"anyOf": []schemaObject{
			{"type": "number", "exclusiveMinimum": 0},
			{"type": "string", "pattern": alphaPattern.String()},
		}},
		read:   readAlpha,
		format: alpha.String,
	}
}

func readAlpha(n ast.Node) (alpha, bool) {
	if v, ok := readNumber(n); ok {
		return alpha{value: v}, v > 0
	}
	s, ok := n.(*ast.StringNode)
	if !ok {
		return alpha{}, false
	}
	m := alphaPattern.FindStringSubmatch(s.Value)
	if m == nil {
		return alpha{}, false
	}
	if m[1] == "" {
		return alpha{1, true}, true
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return alpha{v, true}, err == nil && v > 0
}

// gains reads plateau.min_gain.
func gainCodec() codec[MinGain] {
	return codec[MinGain]{
		want: "nats above 0 such as 0.02, or a share of the lowest rank's mean loss such as 0.5%",
		schema: schemaObject{"anyOf": []schemaObject{
			{"type": "number", "exclusiveMinimum": 0},
			{"type": "string", "pattern": percentPattern.String()},
		}},
		read: func(n ast.Node) (MinGain, bool) {
			if v, ok := readNumber(n); ok {
				return MinGain{Value: v}, v > 0
			}
			s, ok := n.(*ast.StringNode)
			if !ok {
				return MinGain{}, false
			}
			return parsePercent(s.Value)
		},
		format: MinGain.String,
	}
}

func parsePercent(s string) (MinGain, bool) {
	m := percentPattern.FindStringSubmatch(s)
	if m == nil {
		return MinGain{}, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return MinGain{Value: v / 100, Relative: true}, err == nil && v > 0 && v < 100
}

// String writes the gain as a grid does: nats bare, a share in percent.
func (m MinGain) String() string {
	if !m.Relative {
		return formatNumber(m.Value)
	}
	percent := m.Value * 100
	if rounded := math.Round(percent*1e9) / 1e9; math.Abs(rounded-percent) < 1e-12 {
		percent = rounded // 0.7% is kept as 0.006999…
	}
	return formatNumber(percent) + "%"
}

// targetsCodec reads one value of lora.target_modules: a pattern as text. readTarget reads names as a list.
func targetsCodec() codec[Targets] {
	name := textCodec("a module name")
	return codec[Targets]{
		want:   "a list of module names such as [c_attn], a regular expression for whole names, or all-linear",
		schema: schemaObject{"anyOf": []schemaObject{name.schema, listOf(name.schema)}},
		read: func(n ast.Node) (Targets, bool) {
			pattern, ok := name.read(n)
			return Targets{Pattern: pattern}, ok
		},
		format: func(t Targets) string {
			if t.Pattern != "" {
				return quoteText(t.Pattern)
			}
			return "[" + strings.Join(mapSlice(t.List, quoteText), ", ") + "]"
		},
	}
}

// readTargets reads lora.target_modules. Because PEFT lets the key itself be a list, it is an axis only as a list of
// lists, in which all-linear may stand too.
func readTargets(r *reader, n ast.Node) {
	items := []ast.Node{n}
	sequence, _ := n.(*ast.SequenceNode)
	isAxis := sequence != nil && slices.ContainsFunc(sequence.Values, isSequence)
	if isAxis {
		items = sequence.Values
	}
	c := targetsCodec()
	seen := map[string]bool{}
	for _, item := range items {
		t, ok := readTarget(r, c, item)
		if !ok {
			continue
		}
		if isAxis && t.Pattern != "" && t.Pattern != AllLinear {
			r.fail(item, "lora.target_modules: %s stands beside lists; in a list of lists write [%s]", describe(item), t.Pattern)
		}
		text := c.format(t)
		if seen[text] {
			r.fail(item, "lora.target_modules: %s is repeated; remove one", text)
		}
		seen[text] = true
		r.grid.targets = append(r.grid.targets, t)
	}
}

// readTarget reads one value of the axis: names or a pattern that compiles.
func readTarget(r *reader, c codec[Targets], n ast.Node) (Targets, bool) {
	const path = "lora.target_modules"
	if isSequence(n) {
		names, ok := readList(r, path, textCodec("a module name"), n)
		return Targets{List: names}, ok
	}
	t, ok := c.value(r, path, n)
	if !ok {
		return Targets{}, false
	}
	if _, err := regexp.Compile(t.Pattern); err != nil {
		r.fail(n, "%s: not a regular expression in Go's RE2 syntax, which has no look-around: %v", path, err)
		return Targets{}, false
	}
	return t, true
}

func isSequence(n ast.Node) bool {
	_, ok := n.(*ast.SequenceNode)
	return ok
}

func mapSlice[T, U any](values []T, f func(T) U) []U {
	mapped := make([]U, len(values))
	for i, v := range values {
		mapped[i] = f(v)
	}
	return mapped
}
