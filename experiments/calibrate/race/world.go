package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// cells are 2 learning rates × 3 alphas × 2 sets of targets.
const cells = 12

// minGain is the default 0.5 % of a loss of about 2 nats, in nats.
const minGain = .01

func ranks() []int { return []int{1, 2, 4, 8, 16, 32} }

// truth draws the true losses of a grid's cells by rank, in nats.
type truth struct {
	name, formula string
	draw          func(src *rand.Rand) [cells][]float64
}

func truths() []truth {
	curve := func(r float64) float64 { return .06 * math.Pow(r, -.9) }
	return []truth{
		{"spread", "2 + .06·r^−.9 + |N(0, .06)| per cell", each(func(src *rand.Rand) func(float64) float64 {
			by := math.Abs(.06 * src.NormFloat64())
			return func(r float64) float64 { return curve(r) + by }
		})},
		{"near ties", "the same + U(0, .012)", each(func(src *rand.Rand) func(float64) float64 {
			by := .012 * src.Float64()
			return func(r float64) float64 { return curve(r) + by }
		})},
		{"all equal", "2 + .06·r^−.9", each(func(*rand.Rand) func(float64) float64 { return curve })},
		{"crossing", "2 + |N(0, .03)| + U(.02, .3)·r^−U(.3, 1.2)", each(func(src *rand.Rand) func(float64) float64 {
			by, high, fall := math.Abs(.03*src.NormFloat64()), .02+.28*src.Float64(), .3+.9*src.Float64()
			return func(r float64) float64 { return by + high*math.Pow(r, -fall) }
		})},
		{"closing by doublings", "2.2 + U(0, .2) − U(0, .04)·log2 r", each(func(src *rand.Rand) func(float64) float64 {
			by, slope := .2+.2*src.Float64(), .04*src.Float64()
			return func(r float64) float64 { return by - slope*math.Log2(r) }
		})},
		{
			"closing late", "2 + .06·r^−.9 + U(0, .2)/(1 + 2^(log2 r − U(1, 4))·2): the gap falls faster the higher the rank",
			each(func(src *rand.Rand) func(float64) float64 {
				by, at := .2*src.Float64(), 1+3*src.Float64()
				return func(r float64) float64 { return curve(r) + by/(1+math.Exp2(2*(math.Log2(r)-at))) }
			}),
		},
		{"late winner", "the first cell: 2.1 + .06·r^−.9 up to rank 4 and 1.97 + .06·r^−.9 from 8 on; the others as spread", lateWinner},
	}
}

// lateWinner is what no race can see coming: the best cell is the worst at the low ranks.
func lateWinner(src *rand.Rand) [cells][]float64 {
	y := truths()[0].draw(src)
	for i, r := range ranks() {
		y[0][i] = 2.1 + .06*math.Pow(float64(r), -.9)
		if r > 4 {
			y[0][i] -= .13
		}
	}
	return y
}

func each(cell func(src *rand.Rand) func(float64) float64) func(*rand.Rand) [cells][]float64 {
	return func(src *rand.Rand) [cells][]float64 {
		var y [cells][]float64
		for c := range y {
			at := cell(src)
			for _, r := range ranks() {
				y[c] = append(y[c], 2+at(float64(r)))
			}
		}
		return y
	}
}

// noise is what seeds add: the same in every cell, one number for a whole cell, and one for each value, which may be louder in some cells.
type noise struct {
	name, formula     string
	seed, cell, value float64
	louder            float64 // every third cell's values vary by so much more
}

func noises() []noise {
	return []noise{
		{name: "even", formula: "N(0, .010) per seed + N(0, .002) per seed and cell + N(0, .004) per value", seed: .01, cell: .002, value: .004},
		{name: "unequal", formula: "the same, three times as much per value in every third cell", seed: .01, cell: .002, value: .004, louder: 2},
		{
			name: "by cell", formula: "N(0, .010) per seed + N(0, .0025) per seed and cell + N(0, .003) per value, as real cells' ratio",
			seed: .01, cell: .0025, value: .003,
		},
		{name: "unpaired", formula: "N(0, .011) per value", value: .011},
	}
}

func (n noise) draw(src *rand.Rand, y *[cells][]float64, seeds int) [cells][][]float64 {
	shared := make([]float64, seeds)
	for s := range shared {
		shared[s] = n.seed * src.NormFloat64()
	}
	var out [cells][][]float64
	for c := range y {
		own := make([]float64, seeds)
		for s := range own {
			own[s] = n.cell * src.NormFloat64()
		}
		sd := n.value
		if c%3 == 0 {
			sd *= 1 + n.louder
		}
		for r := range y[c] {
			row := make([]float64, seeds)
			for s := range row {
				row[s] = y[c][r] + shared[s] + own[s] + sd*src.NormFloat64()
			}
			out[c] = append(out[c], row)
		}
	}
	return out
}

// grid is a sweep of which nothing was begun.
func grid(seeds int, strategy sweep.Strategy, race bool) sweep.Snapshot {
	s := sweep.Snapshot{Sweep: sweep.Info{Name: "simulated", Rule: plateau.DefaultRule(), Strategy: strategy, Race: race}}
	s.Sweep.Rule.MinGain, s.Sweep.Rule.SeedsPerRank = plateau.MinGain{Value: minGain}, plateau.NeededSeeds
	for seed := range seeds {
		s.Sweep.Seeds = append(s.Sweep.Seeds, int64(seed))
	}
	for c := range cells {
		l := sweep.Ladder{Index: c, Model: trial.ModelInfo{VocabSize: 2048}}
		for _, rank := range ranks() {
			rung := sweep.Rung{Rank: rank}
			for _, seed := range s.Sweep.Seeds {
				id := trial.ID(fmt.Sprintf("%d-%d-%d", c, rank, seed))
				spec := trial.Spec{LoRA: lora.Spec{Rank: rank, Alpha: 16}, Seed: seed}
				rung.Trials = append(rung.Trials, sweep.TrialFacts{Trial: trial.Trial{ID: id, Spec: spec}.Brief()})
			}
			l.Rungs = append(l.Rungs, rung)
		}
		s.Ladders = append(s.Ladders, l)
	}
	return s
}

// scoutSteps is what a scout takes, in trials: the largest rank, and a tenth of the steps for each lower one.
func scoutSteps() float64 { return 1 + .1*float64(len(ranks())-1) }

// work lets sweep.Decide work a grid off whose trials will have these losses, and sums their steps, in those of one trial. A scout shows
// the first seed's loss at the largest rank and shown below it.
func work(s sweep.Snapshot, y [cells][][]float64, shown [cells][]float64) (verdicts []plateau.Verdict, steps float64) {
	for {
		d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1 << 20})
		if d.Done {
			return d.Verdicts, steps
		}
		for _, drawn := range d.Register {
			scout := sweep.TrialFacts{Trial: drawn.Trials[0].Trial}
			scout.Trial.ID = trial.ID(fmt.Sprintf("%d-scout", drawn.Ladder))
			top := len(ranks()) - 1
			finish(&scout, shown[drawn.Ladder][top])
			for r, rank := range ranks()[:top] {
				scout.Screened = append(scout.Screened, trial.Screened{Rank: rank, ValLoss: shown[drawn.Ladder][r]})
			}
			s.Ladders[drawn.Ladder].Scouts = []sweep.TrialFacts{scout}
			steps += scoutSteps()
		}
		for _, launch := range d.Start {
			if slices.Contains(d.Ahead, launch.Trial) {
				continue
			}
			for r, rung := range s.Ladders[launch.Ladder].Rungs {
				for i := range rung.Trials {
					if t := &rung.Trials[i]; t.Trial.ID == launch.Trial {
						finish(t, y[launch.Ladder][r][t.Trial.Seed])
						steps++
					}
				}
			}
		}
	}
}

func finish(t *sweep.TrialFacts, loss float64) {
	t.Attempts = []sweep.AttemptFacts{{Number: 1, Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss, LastValLoss: &loss}}}
}

// shows draws what scouts show: the truth with what the first seed adds at the largest rank, and below it an error between the largest
// too low and the largest too high that were measured, by halvings below the cheapest rank within min_gain of the cell's best.
func shows(src *rand.Rand, truth *[cells][]float64, y [cells][][]float64) [cells][]float64 {
	var out [cells][]float64
	for c := range out {
		top := len(ranks()) - 1
		seed := y[c][top][0] - truth[c][top]
		knee := slices.IndexFunc(truth[c], func(loss float64) bool { return loss <= slices.Min(truth[c])+minGain })
		for r, loss := range truth[c] {
			low, high := sweep.ScoutError(loss, ranks()[r], ranks()[knee], ranks()[top])
			out[c] = append(out[c], loss+seed-low+(low+high)*src.Float64())
		}
	}
	return out
}
