package main

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// plan is what is simulated.
type plan struct {
	ladders   int // for each curve and noise
	seed      uint64
	shares    []float64 // min_gain, as a share of the lowest rank's loss
	seeds     []int     // of a grid
	noises    []noise
	curves    []curve
	protocols []protocol
}

// most is how many seeds a ladder is drawn with: the largest grid's, and as many again to draw from.
func (p plan) most() int {
	most := 0
	for _, n := range p.seeds {
		most = max(most, 2*n)
	}
	return most
}

// cell is one line of the tables.
type cell struct {
	noise, curve, share, seeds, rule int // indices into the plan
}

// results are the tallies by cell. A rule with a number of seeds of its own has tallies for the first of plan.seeds only.
type results map[cell]*tally

// simulate runs the plan, one goroutine for each noise and curve, at most jobs at a time.
func (p plan) simulate(ctx context.Context, jobs int) (results, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	parts := make([]results, len(p.noises)*len(p.curves))
	for n := range p.noises {
		for c := range p.curves {
			g.Go(func() error {
				part, err := p.simulateCurve(ctx, n, c)
				parts[n*len(p.curves)+c] = part
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := results{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all, nil
}

func (p plan) simulateCurve(ctx context.Context, n, c int) (results, error) {
	truths := make([]truth, len(p.shares))
	for i, share := range p.shares {
		truths[i] = newTruth(p.curves[c], p.noises[n], share, patience)
	}
	part, quantiles := results{}, plateau.Quantiles{}
	usual := newTruth(p.curves[c], p.noises[n], plateau.DefaultRule().MinGain.Value, patience)
	for i := range p.ladders {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		src := rand.New(rand.NewPCG(p.seed, uint64(n)<<40|uint64(c)<<32|uint64(i)))
		y := p.noises[n].draw(src, p.most())
		for r := range y {
			for s := range y[r] {
				y[r][s] += truths[0].loss[r]
			}
		}
		l := ladder{y: y, noise: p.noises[n].sd, scout: scoutError(src, usual), quantiles: quantiles}
		p.judge(part, l, truths, n, c)
	}
	return part, nil
}

// judge lets every rule judge one ladder.
func (p plan) judge(part results, l ladder, truths []truth, n, c int) {
	for g, share := range p.shares {
		for s, seeds := range p.seeds {
			for r, rule := range p.protocols {
				if rule.seeds > 0 && s > 0 {
					continue
				}
				l.share, l.seeds = share, cmp.Or(rule.seeds, seeds)
				at := cell{n, c, g, s, r}
				if part[at] == nil {
					part[at] = &tally{}
				}
				part[at].add(truths[g], rule.judge(l))
			}
		}
	}
}
