package sweep

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// forecastLadder has ranks 1, 2, 4 and so on with three seeds of 300 steps; a trial takes 1210 s, 110 of them evaluation.
func forecastLadder(number, ranks int) LadderPlan {
	var l LadderPlan
	for i := range ranks {
		rung := RungPlan{Rank: 1 << i}
		for seed := range 3 {
			rung.Trials = append(rung.Trials, PlannedTrial{Trial: trial.Trial{
				ID: trial.ID(fmt.Sprintf("%d-%d-%d", number, rung.Rank, seed)), Spec: trial.Spec{Seed: int64(seed), Train: trial.TrainSpec{
					Steps: 300, EvalSteps: 30, BatchSize: 1, GradientAccumulationSteps: 1,
				}},
			}.Brief()})
		}
		l.Rungs = append(l.Rungs, rung)
	}
	return l
}

func TestForecast(t *testing.T) {
	t.Parallel()
	const trialSeconds = 20 + 11*10 + 300*3.6
	for name, test := range map[string]struct {
		limits   Limits
		finished map[trial.ID]bool
		most     int
		expected int
		says     []string
		hopeless bool
	}{
		"no limits":         {Limits{}, nil, 24, 23, nil, false},
		"some are finished": {Limits{}, map[trial.ID]bool{"1-1-0": true, "2-8-2": true, "another": true}, 22, 21, nil, false},
		"trial_time": {
			Limits{TrialTime: 10 * time.Minute}, nil, 24, 23, []string{
				"limits.trial_time 10m0s ends every trial (ladder 1) at step 148 of 300: no verdict",
				"limits.trial_time 10m0s ends every trial (ladder 2) at step 148 of 300: no verdict",
			}, true,
		},
		"memory": {
			Limits{Memory: 3 << 30}, nil, 18, 18, []string{
				"rank 8 (ladder 1) would need 4 GiB, more than limits.memory 3 GiB allows: it is not started",
				"rank 8 (ladder 2) would need 4 GiB, more than limits.memory 3 GiB allows: it is not started",
			}, false,
		},
		"memory of every rank": {
			Limits{Memory: 1 << 29}, nil, 0, 0, []string{
				"rank 1 (ladder 1) would need 1 GiB, more than limits.memory 512 MiB allows: it is not started, so there is no verdict",
				"rank 1 (ladder 2) would need 1 GiB, more than limits.memory 512 MiB allows: it is not started, so there is no verdict",
			}, true,
		},
		"time": {
			Limits{Time: 2 * time.Hour},
			nil, 24, 23,
			[]string{"limits.time 2h0m0s is reached at rank 8 of ladder 1, where all would take up to 4h2m0s"},
			false,
		},
		"tokens": {
			Limits{Tokens: 1_500_000},
			nil, 24, 23,
			[]string{"limits.tokens 1500000 is reached at rank 8 of ladder 1, where all would take up to 3600000"},
			false,
		},
		"tokens for no second rank": {
			Limits{Tokens: 400_000},
			nil, 24, 23,
			[]string{"limits.tokens 400000 is reached at rank 1 of ladder 1, where all would take up to 3600000: no verdict"},
			true,
		},
		"time for no second rank": {
			Limits{Time: 30 * time.Minute},
			nil, 24, 23,
			[]string{"limits.time 30m0s is reached at rank 1 of ladder 1, where all would take up to 4h2m0s: no verdict"},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Registration{Ladders: []LadderPlan{forecastLadder(1, 4), forecastLadder(2, 4)}}
			for i := range r.Ladders {
				r.Ladders[i].Corpus.TrainSequences, r.Ladders[i].Corpus.TrainTokens = 100, 50_000
			}
			ends := MeasuredEnds{
				Low:  Measurement{Rank: 1, Startup: 20, EvalSeconds: 10, StepSeconds: 3.6, Bytes: 1 << 30},
				High: Measurement{Rank: 8, Startup: 20, EvalSeconds: 10, StepSeconds: 3.6, Bytes: 4 << 30},
			}
			var estimates []LadderEstimate
			for _, l := range r.Ladders {
				estimates = append(estimates, LadderEstimate{Rungs: l.estimateRungs(ends, test.limits)})
			}
			info := Info{Rule: plateau.DefaultRule(), Seeds: []int64{0, 1, 2}, Limits: test.limits}
			f := r.Forecast(info, estimates, Before{Finished: test.finished}, 2)
			var says []string
			for _, l := range f.Limits {
				says = append(says, l.String())
			}
			if diff := cmp.Diff(test.says, says); diff != "" {
				t.Errorf("limits: -want +got\n%s", diff)
			}
			if f.MostTrials != test.most || f.ExpectedTrials != test.expected || f.Hopeless != test.hopeless {
				t.Errorf("at most %d, expected %d trials, hopeless %t", f.MostTrials, f.ExpectedTrials, f.Hopeless)
			}
			if want := float64(test.most) * trialSeconds / 2; f.MostSeconds != want {
				t.Errorf("at most %v s, want %v", f.MostSeconds, want)
			}
			if test.most > 0 && fmt.Sprintf("%.4f", f.EvaluationShare) != fmt.Sprintf("%.4f", 110/trialSeconds) {
				t.Errorf("evaluation takes %v", f.EvaluationShare)
			}
			if strings.Contains(name, "finished") && f.Finished != 2 {
				t.Errorf("%d finished before, want the grid's own 2", f.Finished)
			}
		})
	}
}

// TestForecastOfExtended: what a registered sweep has taken counts against its limits, as the run counts it, and is not to come again.
func TestForecastOfExtended(t *testing.T) {
	t.Parallel()
	const trialSeconds = 20 + 11*10 + 300*3.6 // and 150 000 tokens
	l := forecastLadder(1, 4)
	l.Corpus.TrainSequences, l.Corpus.TrainTokens = 100, 50_000
	r := Registration{Ladders: []LadderPlan{l}}
	before := Before{Finished: map[trial.ID]bool{}, Extends: "s", Elapsed: 2 * time.Hour, Tokens: map[trial.ID]int64{}}
	for _, rung := range l.Rungs[:2] {
		for _, tr := range rung.Trials {
			before.Finished[tr.Trial.ID], before.Tokens[tr.Trial.ID] = true, 150_000
		}
	}
	before.Tokens["1-4-0"] = 100_000 // interrupted
	m := Measurement{Startup: 20, EvalSeconds: 10, StepSeconds: 3.6}
	low, high := m, m
	low.Rank, high.Rank = 1, 8
	for name, test := range map[string]struct {
		limits Limits
		want   []string
	}{
		"time for the next rank": {Limits{Time: 3*time.Hour + 30*time.Minute}, []string{
			"limits.time 3h30m0s is reached at rank 8 of ladder 1, where all would take up to 4h1m0s, of which the sweep has taken 2h0m0s",
		}},
		"no time is left": {Limits{Time: time.Hour}, []string{
			"limits.time 1h0m0s is reached at rank 4 of ladder 1, where all would take up to 4h1m0s, of which the sweep has taken 2h0m0s",
		}},
		"tokens for the next rank": {Limits{Tokens: 1_350_000}, []string{
			"limits.tokens 1350000 is reached at rank 8 of ladder 1, where all would take up to 1800000, of which the sweep has taken 1000000",
		}},
		"tokens for less": {Limits{Tokens: 1_349_999}, []string{
			"limits.tokens 1349999 is reached at rank 4 of ladder 1, where all would take up to 1800000, of which the sweep has taken 1000000",
		}},
		"enough of both": {Limits{Tokens: 1_800_000, Time: 4*time.Hour + time.Minute}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			estimates := []LadderEstimate{{Rungs: l.estimateRungs(MeasuredEnds{low, high}, test.limits)}}
			info := Info{Rule: plateau.DefaultRule(), Seeds: []int64{0, 1, 2}, Limits: test.limits}
			f := r.Forecast(info, estimates, before, 1)
			var says []string
			for _, l := range f.Limits {
				says = append(says, l.String())
			}
			if diff := cmp.Diff(test.want, says); diff != "" || f.Hopeless {
				t.Errorf("hopeless %t, -want +got\n%s", f.Hopeless, diff)
			}
			if f.MostTrials != 6 || f.MostSeconds != 6*trialSeconds {
				t.Errorf("%d trials of %v s are to come, want 6 of %v", f.MostTrials, f.MostSeconds, 6.*trialSeconds)
			}
			if offered, ok := f.Fitting(r, estimates, Info{Limits: test.limits, Seeds: []int64{0, 1, 2}}, 1, gives()); ok {
				t.Errorf("extend would refuse what is offered:\n%s", offered.Grid)
			}
		})
	}
}

// TestForecastCheckpointing: what checkpointing would change stands beside each limits.memory, and nowhere else.
func TestForecastCheckpointing(t *testing.T) {
	t.Parallel()
	const says = "rank 8 (ladder 2) would need 4.3 GiB, more than limits.memory 3 GiB allows: it is not started"
	low, high := Measurement{Rank: 1, StepSeconds: 1, Bytes: 1 << 30}, Measurement{Rank: 16, StepSeconds: 1, Bytes: 8 << 30}
	for name, test := range map[string]struct {
		with Measurement // of the highest rank, with checkpointing
		want string
		fits bool
	}{
		"helps": {
			Measurement{Rank: 16, StepSeconds: 2, Bytes: 2 << 30},
			"; with train.gradient_checkpointing: true it would need 1.5 GiB and 7m20s a trial, and ranks up to 16 fit", true,
		},
		"helps for a while": {
			Measurement{Rank: 16, StepSeconds: 2, Bytes: 4 << 30},
			"; with train.gradient_checkpointing: true it would need 2.4 GiB and 7m20s a trial, and ranks up to 8 fit", true,
		},
		"does not help": {
			Measurement{Rank: 16, OverMemory: true, Bytes: 7 << 30},
			"; with train.gradient_checkpointing: true it would need 3.8 GiB, which is too much as well", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Registration{Ladders: []LadderPlan{forecastLadder(1, 5), forecastLadder(2, 5)}}
			limits := Limits{Memory: 3 << 30}
			for _, rung := range r.Ladders[0].Rungs {
				for i := range rung.Trials {
					rung.Trials[i].Trial.Shared.Spec.Train.GradientCheckpointing = true
				}
			}
			var estimates []LadderEstimate
			for _, l := range r.Ladders {
				estimates = append(estimates, LadderEstimate{Rungs: l.estimateRungs(MeasuredEnds{low, high}, limits)})
			}
			info := Info{Rule: plateau.Rule{Patience: 2, SeedsPerRank: plateau.EverySeed}, Limits: limits}
			f := r.Forecast(info, estimates, Before{}, 2)
			change := Changes()[1]
			again := f.Changed(r, change)
			if len(again.Ladders) != 1 || !again.Ladders[0].Spec().Train.GradientCheckpointing || r.Ladders[1].Spec().Train.GradientCheckpointing {
				t.Fatalf("to measure again: %+v", again.Ladders)
			}
			f.Add(r, change, []MeasuredEnds{{low, test.with}}, limits)
			if own := f.Limits[0].String(); strings.Contains(own, "gradient_checkpointing") {
				t.Errorf("a ladder that has it is told of it: %s", own)
			}
			if got := f.Limits[1].String(); got != says+test.want || f.Remedied() != test.fits {
				t.Errorf("%s, fits %t", got, f.Remedied())
			}
		})
	}
}
