package sweep

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// cheaperLadder has 256 validation rows of 128 ids, and six ranks of one module of 512 inputs and outputs.
func cheaperLadder() LadderPlan {
	l := forecastLadder(1, 6)
	l.Corpus.ValidationSequences = 256
	l.Model.Modules = []lora.Module{{Name: "m", In: 512, Out: 512}}
	for _, rung := range l.Rungs {
		for j, tr := range rung.Trials {
			rung.Trials[j].Trial = tr.Trial.Changed(func(s *trial.Spec) {
				s.Data.SequenceLength, s.Train.BatchSize = 128, 2
				s.LoRA = lora.Spec{Rank: rung.Rank, Alpha: 16, TargetModules: lora.Targets{List: []string{"m"}}}
			})
		}
	}
	return l
}

// gives says of a grid file that it has these keys.
func gives(keys ...string) func(string) bool {
	return func(key string) bool { return slices.Contains(keys, key) }
}

// TestCheaper: what is given up follows the documented order, as far as it serves, stops as soon as all limits are kept, and is not offered
// in vain.
func TestCheaper(t *testing.T) {
	t.Parallel()
	r := Registration{Ladders: []LadderPlan{cheaperLadder()}}
	m := Measurement{Startup: 0.001, EvalSeconds: 10, StepSeconds: 3} // a trial takes 900 s and 110 of evaluation, eighteen 18 180 s
	low, high := m, m
	low.Rank, high.Rank, high.Bytes = 1, 32, 1<<30
	ends := MeasuredEnds{low, high}
	for name, test := range map[string]struct {
		limits Limits
		want   string
	}{
		"no limit of time": {Limits{Memory: 1 << 40}, ""},
		"validation rows":  {Limits{Time: 4*time.Hour + 47*time.Minute}, "data:\n  validation_sequences: 128\n"},
		"then steps":       {Limits{TrialTime: 8 * time.Minute}, "data:\n  validation_sequences: 64\ntrain:\n  steps: 150\n"},
		"then the length": {
			Limits{Time: time.Hour}, "data:\n  validation_sequences: 64\n  sequence_length: 64\ntrain:\n  steps: 100\n",
		},
		"then seeds and ranks": {
			Limits{Time: 20 * time.Minute},
			"data:\n  validation_sequences: 64\n  sequence_length: 64\nlora:\n  rank: [1, 4, 16]\ntrain:\n  steps: 100\nseeds: [0, 1]\n",
		},
		"tokens, which validation takes none of": {Limits{Tokens: 18 * 160 * 254}, "train:\n  steps: 150\n"},
		"in vain":                                {Limits{Time: time.Minute}, ""},
		"disk, which only trials take":           {Limits{Disk: diskBeside + 8<<20}, "seeds: [0, 1]\n"},
		"memory": {
			Limits{Memory: 400 << 20}, "lora:\n  rank: [1, 2, 4, 8, 16]\ntrain:\n  batch_size: 1\n  gradient_accumulation_steps: 2\n",
		},
		"all limits at once": {
			Limits{Memory: 400 << 20, Time: 3 * time.Hour, TrialTime: 8 * time.Minute, Tokens: 18 * 300 * 254, Disk: diskBeside + 3<<20},
			"data:\n  validation_sequences: 64\nlora:\n  rank: [1, 4, 16]\n" +
				"train:\n  steps: 150\n  batch_size: 1\n  gradient_accumulation_steps: 2\nseeds: [0, 1]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			estimates := []LadderEstimate{{Rungs: r.Ladders[0].estimateRungs(ends, test.limits)}}
			f := r.Forecast(Info{Limits: test.limits, Seeds: []int64{0, 1, 2}}, estimates, Before{}, 1)
			f.AddDisk(r, estimates, nil, test.limits.Disk, 0)
			less := ends
			less.Low.Bytes, less.High.Bytes = 1<<20, 600<<20
			f.Add(r, Changes()[0], []MeasuredEnds{less}, test.limits)
			got, ok := f.Fitting(r, estimates, Info{Limits: test.limits, Seeds: []int64{0, 1, 2}}, 1, gives())
			if got.Grid != test.want || ok != (test.want != "") {
				t.Errorf("%t, %.0f s:\n%s", ok, got.Seconds, got.Grid)
			}
			if ok && test.limits.Time > 0 && got.Seconds > test.limits.Time.Seconds() {
				t.Errorf("%v s do not fit", got.Seconds)
			}
		})
	}
}

// TestCheaperKeeps: what is offered leaves alone what the grid needs as it is, and counts no trial that is finished.
func TestCheaperKeeps(t *testing.T) {
	t.Parallel()
	edited := func(edit func(*trial.Spec)) LadderPlan {
		l := cheaperLadder()
		for _, rung := range l.Rungs {
			for i, tr := range rung.Trials {
				rung.Trials[i].Trial = tr.Trial.Changed(edit)
				rung.Trials[i].Trial.ID = tr.Trial.ID
			}
		}
		return l
	}
	fewer := cheaperLadder()
	fewer.Rungs = fewer.Rungs[:5]
	finished := map[trial.ID]bool{}
	for _, rung := range fewer.Rungs {
		for _, tr := range rung.Trials {
			finished[tr.Trial.ID] = true
		}
	}
	const mib = 1 << 20
	for name, test := range map[string]struct {
		ladders []LadderPlan
		limits  Limits
		before  Before
		bytes   []int64 // of the highest rank, by ladder
		want    string
	}{
		"the length, where long rows are errors": {
			[]LadderPlan{edited(func(s *trial.Spec) { s.Data.LongRows = trial.LongRowsError })},
			Limits{Tokens: 18 * 70 * 254},
			Before{},
			[]int64{mib},
			"train:\n  steps: 100\nseeds: [0, 1]\n",
		},
		"ranks that not every model has": {
			[]LadderPlan{cheaperLadder(), fewer}, Limits{Disk: diskBeside + 100*diskPerParam*1024}, Before{}, []int64{mib, mib}, "",
		},
		"trials that are finished": {
			[]LadderPlan{cheaperLadder()},
			Limits{Disk: diskBeside + 5*diskPerParam*1024*32/2},
			Before{Finished: finished},
			[]int64{mib},
			"seeds: [0, 1]\n",
		},
		"an axis of batch sizes, of which memory stops one": {
			[]LadderPlan{cheaperLadder(), edited(func(s *trial.Spec) { s.Train.BatchSize = 4 })},
			Limits{Memory: 400 * mib},
			Before{},
			[]int64{mib, 1024 * mib},
			"lora:\n  rank: [1, 2, 4, 8]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Registration{Ladders: test.ladders}
			var estimates []LadderEstimate
			for i, l := range r.Ladders {
				low := Measurement{Rank: 1, StepSeconds: 1, EvalSeconds: 1, Bytes: mib}
				high := low
				high.Rank, high.Bytes = 32, test.bytes[i]
				estimates = append(estimates, LadderEstimate{Rungs: l.estimateRungs(MeasuredEnds{low, high}, test.limits)})
			}
			info := Info{Limits: test.limits, Seeds: []int64{0, 1, 2}}
			f := r.Forecast(info, estimates, test.before, 1)
			f.AddDisk(r, estimates, test.before.Finished, test.limits.Disk, 0)
			less := Measurement{Rank: 1, StepSeconds: 1, Bytes: mib}
			f.Add(r, Changes()[0], []MeasuredEnds{{less, less}}, test.limits)
			if got, _ := f.Fitting(r, estimates, info, 1, gives()); len(f.Limits) == 0 || got.Grid != test.want {
				t.Errorf("of %v it makes\n%s", f.Limits, got.Grid)
			}
		})
	}
}

// TestCheaperFits: planned again, what is offered fits the limit, also where starting a trial is most of its time.
func TestCheaperFits(t *testing.T) {
	t.Parallel()
	for _, startup := range []float64{0, 5, 50} {
		r := Registration{Ladders: []LadderPlan{forecastLadder(1, 6)}}
		m := Measurement{Startup: startup, EvalSeconds: 0.1, StepSeconds: 0.05}
		low, high := m, m
		low.Rank, high.Rank = 1, 32
		limits := Limits{Time: 200 * time.Second}
		estimates := []LadderEstimate{{Rungs: r.Ladders[0].estimateRungs(MeasuredEnds{low, high}, limits)}}
		f := r.Forecast(Info{Limits: limits, Seeds: []int64{0, 1, 2}}, estimates, Before{}, 1)
		offered, ok := f.Fitting(r, estimates, Info{Limits: limits, Seeds: []int64{0, 1, 2}}, 1, gives())
		if startup == 50 {
			if ok {
				t.Errorf("six starts of 50 s do not fit 200 s, but %s is offered", offered.Grid)
			}
			continue
		}
		steps, trials := r.Ladders[0].Spec().Train.Steps, 18
		if _, after, found := strings.Cut(offered.Grid, "steps: "); found {
			if _, err := fmt.Sscan(after, &steps); err != nil {
				t.Fatal(err)
			}
		}
		if strings.Contains(offered.Grid, "seeds") {
			trials = 12
		}
		if strings.Contains(offered.Grid, "rank") {
			trials /= 2
		}
		if least := float64(trials) * (startup + float64(steps)*m.StepSeconds); !ok || offered.Seconds < least || offered.Seconds > 200 {
			t.Errorf("startup %g: %t, %.0f s, at least %.0f s:\n%s", startup, ok, offered.Seconds, least, offered.Grid)
		}
	}
}
