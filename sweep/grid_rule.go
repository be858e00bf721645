package sweep

import (
	"math"

	"github.com/goccy/go-yaml/ast"
)

// readSeeds reads seeds: a list only, because 3 alone could mean seed 3 or three seeds.
func readSeeds(r *reader, n ast.Node) {
	if _, ok := n.(*ast.SequenceNode); !ok {
		r.fail(n, "seeds: got %s, want a list such as [0, 1, 2]", describe(n))
		return
	}
	if seeds, ok := readList(r, "seeds", wholeCodec(0, math.MaxUint32), n); ok {
		r.grid.Seeds = seeds
	}
}

// readStop reads plateau.stop.
func readStop(r *reader, n ast.Node) {
	c := choiceCodec(string(StopLikely))
	if word, ok := textCodec("").read(n); ok && word == "certified" {
		r.fail(n, "plateau.stop: certified is not supported yet; write likely")
		return
	}
	c.value(r, "plateau.stop", n)
}
