package main

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// watched is a sweep at one moment, with more about one of its ladders and one of that ladder's trials.
type watched struct {
	err      error // why something could not be read: what is shown is older
	snapshot sweep.Snapshot
	verdicts []plateau.Verdict // one per ladder
	state    progressState
	worked   bool   // a coordinator works on it
	waits    string // for what it does, where that is the state
	outlook  sweep.Outlook

	ladder            int
	busy              map[int]bool // its ranks that train because it waits for them
	trials            []watchedTrial
	chosen            trial.ID
	train, validation []trial.StepTrainLoss
	log               []string // the end of it, printable
}

// watchedTrial is a trial that was begun.
type watchedTrial struct {
	facts *sweep.TrialFacts
	state string     // as sweep status says it
	news  *trialNews // nil where it does not run
}

func (w watched) index(id trial.ID) int {
	return slices.IndexFunc(w.trials, func(t watchedTrial) bool { return t.facts.Trial.ID == id })
}

// watchReader reads a sweep again and again, each time what changed.
type watchReader struct {
	db      *store.DB
	root    string
	workers observer

	mu       sync.Mutex
	snapshot sweep.Snapshot
	decider  sweep.Decider
	rates    rates
	jobs     int // trials that ran at the same time
}

// read returns the sweep with that ladder and that trial, or those that matter most where none is chosen.
func (r *watchReader) read(ctx context.Context, ladder int, chosen trial.ID) watched {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := watched{ladder: ladder, chosen: chosen}
	w.err = r.fill(ctx, &w)
	return w
}

func (r *watchReader) fill(ctx context.Context, w *watched) error {
	snapshot, err := r.db.Refresh(ctx, r.snapshot)
	if err != nil {
		w.snapshot = r.snapshot
		return err
	}
	r.snapshot, w.snapshot = snapshot, snapshot
	holder, err := r.db.Holder(ctx, snapshot.Sweep.ID)
	if err != nil {
		return err
	}
	c, err := newCoordinator(r.db, snapshot.Sweep.ID, holder, time.Now())
	if err != nil {
		return err
	}
	live := openAttempts(snapshot)
	d := r.decider.Decide(snapshot, live, sweep.Capacity{Jobs: max(len(live), 1)})
	w.verdicts = d.Verdicts
	w.state = progressOf(len(snapshot.Ladders) > 0 && d.Done, c, snapshot.Sweep.Asked)
	if w.worked = c.works(); w.worked {
		w.waits = c.WaitsFor
	}
	r.jobs = max(r.jobs, len(live))
	points, err := lastPoints(ctx, r.db, snapshot)
	if err != nil {
		return err
	}
	left := r.speeds(points)
	w.outlook = sweep.Foresee(snapshot, sweep.Going{
		Verdicts: d.Verdicts, References: d.References, Left: left, Jobs: r.jobs,
		Busy: func(i int) map[int]bool { return snapshot.Ladders[i].Busy(d.Ahead) },
	})
	if len(snapshot.Ladders) == 0 {
		return nil
	}
	if w.ladder < 0 || w.ladder >= len(snapshot.Ladders) {
		w.ladder = liveliest(snapshot, d.Verdicts)
	}
	w.busy = snapshot.Ladders[w.ladder].Busy(d.Ahead)
	if err := r.list(ctx, w, d.Ahead, points); err != nil || len(w.trials) == 0 {
		return err
	}
	return r.detail(ctx, w)
}

// openAttempts are those whose end was not seen.
func openAttempts(s sweep.Snapshot) []trial.AttemptID {
	var live []trial.AttemptID
	seen := map[trial.ID]bool{}
	eachTrial(s, sweep.Snapshot{}, func(_ int, t sweep.TrialFacts) {
		if t.State() == sweep.TrialRunning && !seen[t.Trial.ID] {
			seen[t.Trial.ID] = true
			live = append(live, t.Attempts[len(t.Attempts)-1].ID)
		}
	})
	return live
}

// liveliest is the first ladder that trains, or else the first that is open, or else the first.
func liveliest(s sweep.Snapshot, verdicts []plateau.Verdict) int {
	for i := range s.Ladders {
		if len(s.Ladders[i].Busy(nil)) > 0 {
			return i
		}
	}
	return max(0, slices.IndexFunc(verdicts, func(v plateau.Verdict) bool { return v.State == plateau.StateRunning }))
}

// speeds takes note of the latest steps and returns what the trials that run still take.
func (r *watchReader) speeds(points map[trial.ID]store.PointRow) map[trial.ID]time.Duration {
	left := map[trial.ID]time.Duration{}
	eachTrial(r.snapshot, sweep.Snapshot{}, func(_ int, t sweep.TrialFacts) {
		p, ok := points[t.Trial.ID]
		if !ok || t.State() != sweep.TrialRunning {
			return
		}
		a := liveOf(&t, p)
		r.rates.add(a, p.At)
		if _, d, ok := r.rates.speed(a); ok {
			left[t.Trial.ID] = d
		}
	})
	return left
}

func liveOf(t *sweep.TrialFacts, p store.PointRow) sweep.LiveAttempt {
	return sweep.LiveAttempt{
		ID: trial.NewAttemptID(t.Trial.ID, p.Attempt), Trial: t.Trial.ID, Step: p.Step, Steps: t.Trial.Spec().TotalSteps(), Tokens: p.Tokens,
	}
}

// list takes the begun trials of the chosen ladder: those that run first, then the others with the highest rank first.
func (r *watchReader) list(ctx context.Context, w *watched, ahead []trial.ID, points map[trial.ID]store.PointRow) error {
	l := &w.snapshot.Ladders[w.ladder]
	groups := [][]sweep.TrialFacts{l.Scouts}
	for i := range l.Rungs {
		groups = append(groups, l.Rungs[i].Trials)
	}
	for _, group := range append(groups, l.Reference) {
		for i := range group {
			t := &group[i]
			if len(t.Attempts) == 0 {
				continue
			}
			shown := watchedTrial{facts: t, state: string(t.State())}
			if t.State() == sweep.TrialRunning {
				if !w.worked {
					var err error
					if shown.state, err = abandoned(ctx, r.workers, t); err != nil {
						return err
					}
				}
				if shown.state != stateInterrupted {
					shown.news = r.news(w, t, slices.Contains(ahead, t.Trial.ID), points)
				}
			}
			w.trials = append(w.trials, shown)
		}
	}
	slices.SortStableFunc(w.trials, func(a, b watchedTrial) int {
		if running := cmp.Compare(order(a), order(b)); running != 0 {
			return running
		}
		return cmp.Compare(b.facts.Trial.Rank, a.facts.Trial.Rank)
	})
	if w.index(w.chosen) < 0 && len(w.trials) > 0 {
		w.chosen = w.trials[0].facts.Trial.ID
	}
	return nil
}

func order(t watchedTrial) int {
	if t.news != nil {
		return 0
	}
	return 1
}

// news is what is known of a running trial.
func (r *watchReader) news(w *watched, t *sweep.TrialFacts, ahead bool, points map[trial.ID]store.PointRow) *trialNews {
	spec := t.Trial.Spec()
	n := &trialNews{
		step: t.LastStep, steps: spec.TotalSteps(), up: t.Attempts[len(t.Attempts)-1].LastSeq > 0, ahead: ahead,
		compiled: t.LastStep > 0 || t.Prediction != nil, memory: t.Memory.Peak(w.snapshot.Sweep.Platform),
		epochs: spec.Train.EpochsAt(spec.Train.Steps, w.snapshot.Ladders[w.ladder].Corpus.TrainSequences),
	}
	if t.Prediction != nil {
		n.predicted = t.Prediction.PredictedBytes
	}
	if len(t.Evaluations) > 0 {
		n.valLoss = &t.Evaluations[len(t.Evaluations)-1].ValLoss
	}
	if p, ok := points[t.Trial.ID]; ok {
		n.trainLoss = &p.TrainLoss
		n.speed, n.left, n.timed = r.rates.speed(liveOf(t, p))
	}
	return n
}

// detail reads the curves and the log of the chosen trial.
func (r *watchReader) detail(ctx context.Context, w *watched) (err error) {
	t := w.trials[w.index(w.chosen)].facts
	if w.train, w.validation, err = curves(ctx, r.db, t); err != nil {
		return err
	}
	folder := t.Attempts[len(t.Attempts)-1].ID.Dir(r.root)
	for _, name := range []string{trial.StderrFile, trial.StdoutFile} {
		if w.log, err = logTail(filepath.Join(folder, name)); err != nil || len(w.log) > 0 {
			return err
		}
	}
	return nil
}

// logTail returns the last lines of a log, printable.
func logTail(path string) ([]string, error) {
	const most = 16 << 10 // bytes: more than a screen holds
	text, err := trial.LogTail(path, most)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(printable(text), "\n"), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" }), nil
}
