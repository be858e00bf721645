package grid

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// gainCodec reads plateau.min_gain.
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
	gain, err := plateau.ParseMinGain(m[1] + "%") // a grid may put a space before the sign
	return gain, err == nil && gain.Value > 0 && gain.Value < 1
}
