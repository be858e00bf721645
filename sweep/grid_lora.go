package sweep

import (
	"fmt"
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

// targetModules reads one value of lora.target_modules: names as a list, or a pattern as text.
func targetsCodec() codec[Targets] {
	return codec[Targets]{
		want: "a list of module names such as [c_attn], a regular expression for whole names, or all-linear",
		schema: schemaObject{"anyOf": []schemaObject{
			{"type": "string", "minLength": 1},
			{"type": "array", "items": schemaObject{"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": true},
		}},
		read:   readTargets,
		format: func(t Targets) string { return t.canonical() },
	}
}

func readTargets(n ast.Node) (Targets, bool) {
	name := textCodec("")
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		pattern, ok := name.read(n)
		return Targets{Pattern: pattern}, ok
	}
	var t Targets
	for _, item := range list.Values {
		entry, ok := name.read(item)
		if !ok || slices.Contains(t.List, entry) {
			return Targets{}, false
		}
		t.List = append(t.List, entry)
	}
	return t, len(t.List) > 0
}

// canonical writes targets so that no two differ only in meaning.
func (t Targets) canonical() string {
	if t.Pattern != "" {
		return quoteText(t.Pattern)
	}
	quoted := make([]string, len(t.List))
	for i, entry := range t.List {
		quoted[i] = quoteText(entry)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// readTargetAxis reads lora.target_modules. Because PEFT lets the key itself be a list, it is an axis only as a list of
// lists, in which all-linear may stand too.
func readTargetAxis(r *reader, n ast.Node) {
	items := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok && slices.ContainsFunc(list.Values, isSequence) {
		items = list.Values
	}
	c := targetsCodec()
	for _, item := range items {
		t, ok := c.value(r, "lora.target_modules", item)
		switch {
		case !ok:
			continue
		case len(items) > 1 && t.Pattern != "" && t.Pattern != AllLinear:
			r.fail(item, "lora.target_modules: %s stands beside lists; in a list of lists write [%s]", describe(item), t.Pattern)
		case t.Pattern != "" && !compiles(t.Pattern):
			_, err := t.matcher()
			r.fail(item, "lora.target_modules: %v", err)
		case slices.ContainsFunc(r.grid.targets, func(u Targets) bool { return u.canonical() == t.canonical() }):
			r.fail(item, "lora.target_modules: %s is repeated; remove one", t)
		default:
			r.grid.targets = append(r.grid.targets, t)
		}
	}
}

func isSequence(n ast.Node) bool {
	_, ok := n.(*ast.SequenceNode)
	return ok
}

func compiles(pattern string) bool {
	_, err := regexp.Compile(fmt.Sprintf(`\A(?:%s)\z`, pattern))
	return err == nil
}
