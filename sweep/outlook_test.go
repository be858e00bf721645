package sweep_test

import (
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// foresee is the outlook on a snapshot whose running trials have so long left.
func foresee(s sweep.Snapshot, left map[trial.ID]time.Duration) sweep.Outlook {
	d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 2})
	return sweep.Foresee(s, sweep.Going{
		Verdicts: d.Verdicts, References: d.References, Left: left, Jobs: 2,
		Busy: func(i int) map[int]bool { return s.Ladders[i].Busy(d.Ahead) },
	})
}

// TestForesee: what is left lies between the current rank and every rank, at the pace of what has trained, and counts each trial once.
func TestForesee(t *testing.T) {
	t.Parallel()
	const step = time.Second // of trials of 4
	slow := func(loss float64) func(int64) trial.Outcome {
		return func(int64) trial.Outcome {
			o := done(loss)
			o.TotalSeconds = 4 * step.Seconds()
			return o
		}
	}
	plateaued := func(s *sweep.Snapshot) {
		for i, loss := range []float64{4.8, 4.6, 4.6, 4.599} {
			finishRung(s, 1<<i, slow(loss))
		}
	}
	reference := func(s *sweep.Snapshot) {
		full := s.Ladders[0].Rungs[0].Trials[0].Trial.Trial()
		full.Spec.LoRA.Rank = 0
		s.Ladders[0].Reference = []sweep.TrialFacts{{Trial: trial.New(full.Spec, full.Base, full.Data, full.Backend).Brief()}}
	}
	for name, test := range map[string]struct {
		alphas  []float64
		facts   func(s *sweep.Snapshot)
		running int // rank whose first trial runs, with 2 s left; 0 for none
		over    int
		of      int
		least   time.Duration
		most    time.Duration
		timed   bool
	}{
		"nothing trained": {[]float64{16}, func(*sweep.Snapshot) {}, 0, 0, 15, 0, 0, false},
		"the first runs":  {[]float64{16}, func(*sweep.Snapshot) {}, 1, 0, 15, 2 * step, (2 + 14*8) * step / 2, true},
		"at the second rank": {
			[]float64{16},
			func(s *sweep.Snapshot) { finishRung(s, 1, slow(4.8)) },
			2, 3, 15, 2 * step, (2 + 11*4) * step / 2, true,
		},
		"decided": {[]float64{16}, plateaued, 0, 12, 12, 0, 0, true},
		"decided, and its reference to come": {[]float64{16}, func(s *sweep.Snapshot) {
			plateaued(s)
			reference(s)
		}, 0, 12, 13, 0, 4 * step, true},
		"decided, and a reference that took too long": {[]float64{16}, func(s *sweep.Snapshot) {
			plateaued(s)
			reference(s)
			begin(s, s.Ladders[0].Reference[0].Trial.ID)
			conclude(s, s.Ladders[0].Reference[0].Trial.ID, trial.Outcome{State: trial.OutcomeOverTime})
		}, 0, 13, 13, 0, 0, true},
		"shared by two ladders": {
			[]float64{16, 16},
			func(s *sweep.Snapshot) { finishRung(s, 1, slow(4.8)) },
			0, 3, 15, 0, 12 * 4 * step / 2, true,
		},
		"a curve is its scout's alone": {[]float64{16}, func(s *sweep.Snapshot) {
			s.Sweep.Strategy = sweep.StrategyCurve
			scout := s.Ladders[0].Rungs[4].Trials[0].Trial.Trial()
			scout.Spec.Train.Steps = 8
			s.Ladders[0].Scouts = []sweep.TrialFacts{{Trial: trial.New(scout.Spec, scout.Base, scout.Data, scout.Backend).Brief()}}
			finishRung(s, 1, slow(4.8)) // by another sweep
		}, 0, 0, 1, 0, 8 * step, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, test.alphas, []int{1, 2, 4, 8, 16}, 0, 1, 2)
			test.facts(&s)
			left := map[trial.ID]time.Duration{}
			for _, r := range s.Ladders[0].Rungs {
				if id := r.Trials[0].Trial.ID; r.Rank == test.running {
					begin(&s, id)
					left[id] = 2 * step
					edit(&s, id, func(f *sweep.TrialFacts) { f.LastStep = 3 })
				}
			}
			got := foresee(s, left)
			want := sweep.Outlook{Least: test.least, Most: test.most, Over: test.over, Of: test.of, Timed: test.timed}
			if got != want {
				t.Errorf("Foresee = %+v, want %+v", got, want)
			}
		})
	}
}

// TestCurrent: the rung that a ladder waits for is the lowest that trains, or the next after those that are judged.
func TestCurrent(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{1, 2, 4}, 0)
	running := plateau.Verdict{State: plateau.StateRunning, Rungs: []plateau.RungVerdict{{Rank: 1}}}
	for want, test := range map[int]struct {
		v    plateau.Verdict
		busy map[int]bool
	}{
		1:  {running, nil},
		2:  {running, map[int]bool{4: true}},
		0:  {plateau.Verdict{State: plateau.StateRunning}, nil},
		-1: {plateau.Verdict{State: plateau.StatePlateau}, nil},
	} {
		if got := s.Ladders[0].Current(test.v, test.busy); got != want {
			t.Errorf("Current = %d, want %d", got, want)
		}
	}
}

// TestSpeedOf looks at the last steps alone.
func TestSpeedOf(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(second, step int) sweep.Passed {
		return sweep.Passed{At: start.Add(time.Duration(second) * time.Second), Step: step, Tokens: int64(100 * step)}
	}
	for name, test := range map[string]struct {
		passed []sweep.Passed
		want   sweep.Speed
	}{
		"none":              {nil, sweep.Speed{}},
		"one step":          {[]sweep.Passed{at(0, 1)}, sweep.Speed{}},
		"two":               {[]sweep.Passed{at(0, 1), at(2, 5)}, sweep.Speed{Steps: 2, Tokens: 200}},
		"slow at first":     {[]sweep.Passed{at(0, 1), at(100, 2), at(110, 12), at(120, 22)}, sweep.Speed{Steps: 1, Tokens: 100}},
		"all at one moment": {[]sweep.Passed{at(0, 1), at(0, 2)}, sweep.Speed{}},
	} {
		if got := sweep.SpeedOf(test.passed); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	if left, ok := (sweep.Speed{Steps: 2}).Left(5); left != 2500*time.Millisecond || !ok {
		t.Errorf("5 steps at 2 a second take %v, %t", left, ok)
	}
	if _, ok := (sweep.Speed{}).Left(5); ok {
		t.Error("without a speed what is left is known")
	}
}
