package grid

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

// seedBounds checks max_seeds against the seeds.
func (r *reader) seedBounds() {
	if most := r.grid.rule.MaxSeeds; most > 0 && most < len(r.grid.Seeds) {
		r.failAt(r.given["plateau.max_seeds"], "plateau.max_seeds: %d is below the %d seeds; write at least %d, or fewer seeds", most,
			len(r.grid.Seeds), len(r.grid.Seeds))
	}
}
