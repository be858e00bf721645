package grid

import (
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
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

// gains reads plateau.min_gain.
func gainCodec() codec[plateau.MinGain] {
	return codec[plateau.MinGain]{
		want: "nats above 0 such as 0.02, or a share of the lowest rank's mean loss such as 0.5%",
		schema: schemaObject{"anyOf": []schemaObject{
			{"type": "number", "exclusiveMinimum": 0},
			{"type": "string", "pattern": percentPattern.String()},
		}},
		read: func(n ast.Node) (plateau.MinGain, bool) {
			if v, ok := readNumber(n); ok {
				return plateau.MinGain{Value: v}, v > 0
			}
			s, ok := n.(*ast.StringNode)
			if !ok {
				return plateau.MinGain{}, false
			}
			return parsePercent(s.Value)
		},
		format: plateau.MinGain.String,
	}
}

func parsePercent(s string) (plateau.MinGain, bool) {
	m := percentPattern.FindStringSubmatch(s)
	if m == nil {
		return plateau.MinGain{}, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return plateau.MinGain{Value: v / 100, Relative: true}, err == nil && v > 0 && v < 100
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
