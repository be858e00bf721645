package grid

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
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
		return lora.FormatNumber(a.value) + "r"
	}
	return lora.FormatNumber(a.value)
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
