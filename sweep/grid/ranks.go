package grid

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// ranks is the value of lora.rank: a list, or a ladder that doubles from one rank up to another or, open, up to what the
// model allows.
type ranks struct {
	list     []int
	from, to int  // to is 0 for an open ladder
	full     bool // the list ends in full: the ladder has a reference
}

// fullWord stands after the ranks of a list for training the targets themselves.
const fullWord = "full"

// varies reports whether there can be more than one rank.
func (k ranks) varies() bool { return len(k.list) > 1 || k.from > 0 && k.from != k.to }

func (k ranks) String() string {
	switch {
	case k.from > 0 && k.to > 0:
		return fmt.Sprintf("{from: %d, to: %d}", k.from, k.to)
	case k.from > 0:
		return fmt.Sprintf("{from: %d}", k.from)
	}
	if k.full {
		return strings.TrimSuffix(lora.JoinInts(k.list), "]") + ", " + fullWord + "]"
	}
	return lora.JoinInts(k.list)
}

// firstAbove returns the lowest rank that was written and is above limit, or 0.
func (k ranks) firstAbove(limit int) int {
	for _, rank := range append([]int{k.from}, k.list...) {
		if rank > limit {
			return rank
		}
	}
	return 0
}

// rankPath names a rank of the list, or the one that a ladder climbs from, among the places that Grid.at keeps.
func rankPath(rank int) string { return fmt.Sprintf("lora.rank[%d]", rank) }

// upTo returns the ranks of a ladder that may not pass limit: those of the list, or the doublings of from below the end,
// and the end itself. The end is to, or limit where that is lower or the ladder is open.
func (k ranks) upTo(limit int) []int {
	if k.from == 0 {
		return k.list
	}
	end := limit
	if k.to > 0 {
		end = min(k.to, limit)
	}
	var climb []int
	for r := k.from; r < end; r *= 2 {
		climb = append(climb, r)
	}
	return append(climb, end)
}

// readRanks reads lora.rank in any of its forms.
func readRanks(r *reader, n ast.Node) {
	c := countCodec(1)
	c.want = "a rank of at least 1, a list of ranks, {from: 1, to: 256} or {from: 1}"
	switch n := n.(type) {
	case *ast.SequenceNode:
		readRankList(r, n)
	case *ast.MappingNode:
		readRankSpan(r, n)
	default:
		if rank, ok := c.value(r, "lora.rank", n); ok {
			r.given[rankPath(rank)] = where(n)
			r.grid.rank = ranks{list: []int{rank}}
		}
	}
}

func readRankList(r *reader, n *ast.SequenceNode) {
	if len(n.Values) == 0 {
		r.fail(n, "lora.rank: the list is empty; write the ranks to climb, such as [1, 2, 4, 8]")
	}
	last := 0
	for i, item := range n.Values {
		if word, ok := item.(*ast.StringNode); ok && word.Value == fullWord {
			r.readFull(n, i)
			continue
		}
		rank, ok := countCodec(1).value(r, "lora.rank", item)
		switch {
		case !ok:
			continue
		case rank == last:
			r.fail(item, "lora.rank: %d is repeated; remove one", rank)
		case rank < last:
			r.fail(item, "lora.rank: %d after %d; list the ranks in ascending order", rank, last)
		}
		last = max(last, rank)
		r.given[rankPath(rank)] = where(item)
		r.grid.rank.list = append(r.grid.rank.list, rank)
	}
}

// readFull reads the word full, the i-th item of a list of ranks.
func (r *reader) readFull(n *ast.SequenceNode, i int) {
	switch {
	case i < len(n.Values)-1:
		r.fail(n.Values[i], "lora.rank: full is not the last item; full fine-tuning is what every rank is held against: write it once, "+
			"at the end")
	case i == 0:
		r.fail(n.Values[i], "lora.rank: full is no rank to recommend; write ranks before it, such as [1, 2, 4, 8, full]")
	}
	r.given[fullPath] = where(n.Values[i])
	r.grid.rank.full = true
}

// fullPath names the word full among the places that Grid.at keeps.
const fullPath = "lora.rank[full]"

func readRankSpan(r *reader, n *ast.MappingNode) {
	bounds := map[string]int{}
	for _, entry := range n.Values {
		name, _ := keyName(entry.Key)
		if name != "from" && name != "to" {
			r.fail(entry.Key, "lora.rank: unknown key %s; a climbing ladder has from and to", describe(entry.Key))
			return
		}
		if _, repeated := bounds[name]; repeated {
			r.fail(entry.Key, "lora.rank.%s is repeated; remove one", name)
			return
		}
		rank, ok := countCodec(1).value(r, "lora.rank."+name, entry.Value)
		if !ok {
			return
		}
		bounds[name] = rank
		if name == "from" {
			r.given[rankPath(rank)] = where(entry.Value)
		}
	}
	from, to := bounds["from"], bounds["to"]
	switch {
	case from == 0:
		r.fail(n, "lora.rank: from is missing; write {from: 1} or {from: 1, to: 256}")
	case to > 0 && to < from:
		r.fail(n, "lora.rank: to %d is below from %d; exchange them", to, from)
	default:
		r.grid.rank = ranks{from: from, to: to}
	}
}

// rankBounds are the smallest and largest full rank among the targets of a cell: of a module of width in × out, a rank above
// min(in, out) adds parameters but nothing that they could express.
type rankBounds struct {
	narrowest, widest lora.Module
}

// most is the largest rank that some target can use.
func (b rankBounds) most() int { return min(b.widest.In, b.widest.Out) }

// least is the largest rank that every target can use.
func (b rankBounds) least() int { return min(b.narrowest.In, b.narrowest.Out) }

func boundsOf(targets []lora.Module) rankBounds {
	full := func(m lora.Module) int { return min(m.In, m.Out) }
	byRank := func(a, b lora.Module) int { return full(a) - full(b) }
	return rankBounds{slices.MinFunc(targets, byRank), slices.MaxFunc(targets, byRank)}
}

// ladder returns the ranks to climb on these targets, and what to warn of. A listed rank that no target can use is an
// error; a climbing ladder ends at the widest target's full rank.
func (k ranks) ladder(model string, b rankBounds) ([]int, []string, error) {
	widest, narrowest := b.most(), b.least()
	if k.from > widest {
		return nil, nil, fmt.Errorf("lora.rank: from %d is above %d, the full rank of %s, the widest target of %s", k.from, widest,
			b.widest.Name, model)
	}
	if rank := k.firstAbove(widest); rank > 0 {
		return nil, nil, fmt.Errorf("lora.rank: %d is above %d, the full rank of %s, the widest target of %s; remove ranks above %d",
			rank, widest, b.widest.Name, model, widest)
	}
	climb := k.upTo(widest)
	var warnings []string
	if k.from > 0 && (k.to == 0 || k.to > widest) {
		warnings = append(warnings, fmt.Sprintf("the ladder of %s ends at rank %d, the full rank of %s, its widest target", model,
			widest, b.widest.Name))
	}
	if above := slices.DeleteFunc(slices.Clone(climb), func(rank int) bool { return rank <= narrowest }); len(above) > 0 {
		warnings = append(warnings, fmt.Sprintf("ranks %s are above %d, the full rank of %s, the narrowest target of %s: they add nothing there",
			lora.JoinInts(above), narrowest, b.narrowest.Name, model))
	}
	return climb, warnings, nil
}
