package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "race:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("race", flag.ContinueOnError)
	f.SetOutput(stderr)
	grids := f.Int("grids", 300, "for each truth, noise and number of seeds")
	seed := f.Uint64("seed", 1, "of the random numbers")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *grids < 1 {
		return fmt.Errorf("-grids %d: want at least 1", *grids)
	}
	for _, t := range truths() {
		fmt.Fprintf(stdout, "- %s: %s\n", t.name, t.formula)
	}
	for _, n := range noises() {
		fmt.Fprintf(stdout, "- noise %s: %s\n", n.name, n.formula)
	}
	fmt.Fprintln(stdout)
	fmt.Fprintln(stdout, "- a scout: the truth + what the first seed adds at the largest rank + below that rank an error of U(−low, high), "+
		"low being 1.05 % of the loss, high 0.3 % from the knee on and 0.6, 0.65, 1.3 and 1.65 % by halvings below it")
	fmt.Fprintln(stdout)
	fmt.Fprintln(stdout, "| cells | noise | seeds | best outraced, ranks | scouts | one within min_gain, ranks | scouts "+
		"| outraced of 12, ranks | scouts | regret, ranks | scouts | no race | steps, ranks | scouts | no race |")
	fmt.Fprintln(stdout, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for i, t := range truths() {
		for j, n := range noises() {
			for _, seeds := range []int{2, 3} {
				var sum tally
				for g := range *grids {
					sum.add(t, n, seeds, rand.New(rand.NewPCG(*seed, uint64(i)<<40|uint64(j)<<32|uint64(g))))
				}
				if _, err := fmt.Fprintf(stdout, "| %s | %s | %d | %s\n", t.name, n.name, seeds, sum.row(seeds)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tally counts what became of grids of one truth.
type tally struct {
	grids                   int
	raced, scouted, climbed outcome
}

// outcome sums what one protocol did.
type outcome struct {
	bestOut, nearOut, out int
	regret, steps         float64 // regret of the recommended cell and rank, in min_gains
}

func (c *tally) add(t truth, n noise, seeds int, src *rand.Rand) {
	losses := t.draw(src)
	y := n.draw(src, &losses, seeds)
	shown := shows(src, &losses, y)
	c.grids++
	c.raced.add(grid(seeds, sweep.StrategyLadder, true), losses, y, shown)
	c.scouted.add(grid(seeds, sweep.StrategyScout, true), losses, y, shown)
	c.climbed.add(grid(seeds, sweep.StrategyLadder, false), losses, y, shown)
}

func (o *outcome) add(s sweep.Snapshot, losses [cells][]float64, y [cells][][]float64, shown [cells][]float64) {
	verdicts, steps := work(s, y, shown)
	lowest := make([]float64, cells)
	for i := range lowest {
		lowest[i] = slices.Min(losses[i])
	}
	best := slices.Index(lowest, slices.Min(lowest))
	near := false
	for i, v := range verdicts {
		if v.State == plateau.StateOutraced {
			o.out++
			near = near || lowest[i] <= lowest[best]+minGain
			if i == best {
				o.bestOut++
			}
		}
	}
	if near {
		o.nearOut++
	}
	o.steps += steps
	o.regret += regret(verdicts, losses, lowest[best])
}

// regret is the true loss of what a report would recommend above the lowest of all: the ladder whose recommended rank has the lowest mean.
func regret(verdicts []plateau.Verdict, losses [cells][]float64, best float64) float64 {
	chosen := -1
	for i, v := range verdicts {
		if v.State != plateau.StateOutraced && (chosen < 0 || cmp.Less(mean(v), mean(verdicts[chosen]))) {
			chosen = i
		}
	}
	return (losses[chosen][slices.Index(ranks(), verdicts[chosen].RecommendedRank)] - best) / minGain
}

func mean(v plateau.Verdict) float64 {
	for _, r := range v.Rungs {
		if r.Rank == v.RecommendedRank {
			return r.ValLoss.Mean
		}
	}
	return math.Inf(1)
}

func (c *tally) row(seeds int) string {
	n, all := float64(c.grids), float64(c.grids*cells*len(ranks())*seeds)
	percent := func(count int) float64 { return 100 * float64(count) / n }
	r, s, none := c.raced, c.scouted, c.climbed
	return fmt.Sprintf("%.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f | %.1f | %.2f | %.2f | %.2f | %.0f %% | %.0f %% | %.0f %% |",
		percent(r.bestOut), percent(s.bestOut), percent(r.nearOut), percent(s.nearOut), float64(r.out)/n, float64(s.out)/n,
		r.regret/n, s.regret/n, none.regret/n, 100*r.steps/all, 100*s.steps/all, 100*none.steps/all)
}
