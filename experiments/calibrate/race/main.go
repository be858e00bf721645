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
	fmt.Fprintln(stdout, "| cells | noise | seeds | best outraced | one within min_gain outraced | outraced of 12 | regret, racing | without "+
		"| trials, racing | without |")
	fmt.Fprintln(stdout, "|---|---|---|---|---|---|---|---|---|---|")
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
	grids, bestOut, nearOut, out, raced, climbed int
	regretRaced, regretClimbed                   float64 // of the recommended cell and rank, in min_gains
}

func (c *tally) add(t truth, n noise, seeds int, src *rand.Rand) {
	losses := t.draw(src)
	y := n.draw(src, &losses, seeds)
	raced, trials := work(grid(seeds, true), y)
	climbed, without := work(grid(seeds, false), y)
	lowest := make([]float64, cells)
	for i := range lowest {
		lowest[i] = slices.Min(losses[i])
	}
	best := slices.Index(lowest, slices.Min(lowest))
	near := false
	for i, v := range raced {
		if v.State == plateau.StateOutraced {
			c.out++
			near = near || lowest[i] <= lowest[best]+minGain
			if i == best {
				c.bestOut++
			}
		}
	}
	if near {
		c.nearOut++
	}
	c.grids++
	c.raced += trials
	c.climbed += without
	c.regretRaced += regret(raced, losses, lowest[best])
	c.regretClimbed += regret(climbed, losses, lowest[best])
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
	return fmt.Sprintf("%.1f %% | %.1f %% | %.1f | %.2f | %.2f | %.0f %% | %.0f %% |", 100*float64(c.bestOut)/n, 100*float64(c.nearOut)/n,
		float64(c.out)/n, c.regretRaced/n, c.regretClimbed/n, 100*float64(c.raced)/all, 100*float64(c.climbed)/all)
}
