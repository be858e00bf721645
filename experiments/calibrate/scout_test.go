package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// trainSteps are a trial's.
const trainSteps = 100

// scoutingSweep is a sweep with strategy: scout of which nothing was begun.
func scoutingSweep(p plateau.Rule) sweep.Snapshot {
	l := sweep.Ladder{Model: trial.ModelInfo{VocabSize: 2048}}
	for _, rank := range ranks {
		rung := sweep.Rung{Rank: rank}
		for _, seed := range p.GridSeeds {
			spec := trial.Spec{LoRA: lora.Spec{Rank: rank, Alpha: 16}, Seed: seed, Train: trial.TrainSpec{Steps: trainSteps}}
			rung.Trials = append(rung.Trials, sweep.TrialFacts{Trial: trial.New(spec, "", "", "").Brief()})
		}
		l.Rungs = append(l.Rungs, rung)
	}
	info := sweep.Info{Name: "simulated", Strategy: sweep.StrategyScout, Rule: p, Seeds: p.GridSeeds}
	return sweep.Snapshot{Sweep: info, Ladders: []sweep.Ladder{l}}
}

// workOff lets sweep.Decide train a ladder whose trials end with these losses, and counts steps in those of one trial.
func workOff(s sweep.Snapshot, l ladder) (v plateau.Verdict, steps float64) {
	of := &s.Ladders[0]
	finish := func(t *sweep.TrialFacts, r int) {
		loss := l.y[r][t.Trial.Seed]
		if t.Trial.Spec().Shrink != nil {
			loss += l.scout[r]
			for lower, rank := range ranks[:r] {
				t.Screened = append(t.Screened, trial.Screened{Rank: rank, ValLoss: l.y[lower][0] + l.scout[lower]})
			}
		}
		t.Attempts = []sweep.AttemptFacts{{Number: 1, Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: &loss, LastValLoss: &loss}}}
		steps += float64(t.Trial.Spec().TotalSteps()) / trainSteps
	}
	for {
		d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1 << 20})
		if d.Done {
			return d.Verdicts[0], steps
		}
		for _, added := range d.Register {
			for _, t := range added.Trials {
				of.Scouts = append(of.Scouts, sweep.TrialFacts{Trial: t.Trial})
			}
		}
		for _, launch := range d.Start {
			if slices.Contains(d.Ahead, launch.Trial) {
				continue
			}
			r := slices.Index(ranks[:], launch.Rank)
			for _, trials := range [][]sweep.TrialFacts{of.Rungs[r].Trials, of.Scouts} {
				for i := range trials {
					if trials[i].Trial.ID == launch.Trial {
						finish(&trials[i], r)
					}
				}
			}
		}
	}
}

// TestScoutingIsTheSweeps: on ladders of every curve and noise a sweep with strategy: scout scouts, claims, recommends and trains what
// the simulation says.
func TestScoutingIsTheSweeps(t *testing.T) {
	t.Parallel()
	restarted := 0
	for n, noise := range noises() {
		for c, curve := range curves() {
			src := rand.New(rand.NewPCG(uint64(n), uint64(c)))
			truth := newTruth(curve, noise, .005, patience)
			for i := range 12 {
				l := ladder{
					y: noise.draw(src, 3), seeds: 1 + i%3, share: .005, scout: scoutError(src, truth), quantiles: plateau.Quantiles{},
				}
				for r := range l.y {
					for s := range l.y[r] {
						l.y[r][s] += truth.loss[r]
					}
				}
				p := ruleFor(l)
				name := "scout, all seeds"
				if i%6 >= 3 {
					p.SeedsPerRank, name = plateau.NeededSeeds, "scout, seeds as needed"
				}
				got := protocolNamed(t, name).judge(l)
				v, steps := workOff(scoutingSweep(p), l)
				want := answer(v, [rungs]int{})
				if v.Screening.From < v.Screening.Knee/2 {
					restarted++
				}
				if ranks[*got.knee] != v.Screening.Knee || got.claim != want.claim || got.rung != want.rung || got.claimed != want.claimed ||
					math.Abs(got.steps-steps) > 1e-9 || rungs-got.used != len(v.Screening.Skipped) {
					t.Errorf("%s, %s, %s: simulated %+v, knee %d; the sweep says %s, rank %d (%d) after %v steps, %+v",
						noise.name, curve.name, name, got, ranks[*got.knee], v.State, v.RecommendedRank, v.Incumbent(), steps, v.Screening)
				}
			}
		}
	}
	if restarted == 0 {
		t.Error("no climb began anew: the comparison lacks that")
	}
}

// TestScoutErrsAsMeasured: the errors reach what sweep scout states in either direction, never pass it, and are none at the top.
func TestScoutErrsAsMeasured(t *testing.T) {
	t.Parallel()
	src := rand.New(rand.NewPCG(1, 2))
	truth := newTruth(curves()[0], noises()[0], .005, patience)
	var highest, lowest [rungs]float64
	for range 5000 {
		for r, e := range scoutError(src, truth) {
			highest[r], lowest[r] = max(highest[r], e), min(lowest[r], e)
		}
	}
	for r := range rungs {
		low, high := sweep.ScoutError(truth.loss[r], ranks[r], ranks[truth.cheapest], ranks[rungs-1])
		reaches := r > truth.cheapest || highest[r] >= .9*high && lowest[r] <= -.9*low
		if highest[r] > high || lowest[r] < -low || !reaches {
			t.Errorf("rank %d: from %v to %v, measured -%v to %v", ranks[r], lowest[r], highest[r], low, high)
		}
	}
}
