package sweep

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// recover brings the store up to date with what workers did while nobody watched: attempt folders that the store does not
// know are taken in, so a lost database costs nothing; living workers are adopted; what the dead ones left is read by the
// first tick.
func (r *run) recover(ctx context.Context) error {
	if err := r.refresh(ctx); err != nil {
		return err
	}
	r.adoptOpen(Snapshot{}) // also what was known before Run
	all := indices(len(r.snapshot.Ladders))
	if err := r.adoptUnknown(ctx, all); err != nil {
		return err
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	r.stale = true
	since := r.snapshot.leavingSince()
	return r.snapshot.distinct(all, func(t *TrialFacts) bool { return len(t.Attempts) > 0 },
		func(ladder int, t *TrialFacts) error {
			r.restOf(t)
			return r.adoptLeaving(ctx, ladder, t, since)
		})
}

// leaving is how long before the last event of a sweep a trial may have ended whose process is still there: a coordinator kills it after
// exitPatience, and several may have died before they did. Older trials are many.
const leaving = time.Hour

// leavingSince is the time of that last event, less that.
func (s Snapshot) leavingSince() time.Time {
	var last time.Time
	s.Each(func(_ *Ladder, _ int, t *TrialFacts) {
		if n := len(t.Attempts); n > 0 && t.Attempts[n-1].LastAt.After(last) {
			last = t.Attempts[n-1].LastAt
		}
	})
	return last.Add(-leaving)
}

// adoptUnknown registers the attempts of those ladders' trials that have a folder but no row. Few trials of a large sweep have folders.
func (r *run) adoptUnknown(ctx context.Context, ladders []int) error {
	trials, err := r.Exec.Trials(ctx)
	if err != nil {
		return fmt.Errorf("list trials with attempts: %w", err)
	}
	begun := make(map[trial.ID]bool, len(trials))
	for _, id := range trials {
		begun[id] = true
	}
	return r.snapshot.distinct(ladders, func(t *TrialFacts) bool { return begun[t.Trial.ID] },
		func(ladder int, t *TrialFacts) error { return r.adoptFolders(ctx, ladder, t) })
}

// adoptFolders registers a trial's attempts that have a folder but no row.
func (r *run) adoptFolders(ctx context.Context, ladder int, t *TrialFacts) error {
	ids, err := r.Exec.Attempts(ctx, t.Trial.ID)
	if err != nil {
		return fmt.Errorf("list attempts of trial %s: %w", t.Trial.ID, err)
	}
	for _, id := range ids {
		if slices.ContainsFunc(t.Attempts, func(a AttemptFacts) bool { return a.ID == id }) {
			continue
		}
		r.Log.Info("adopt an attempt that the database does not know", "attempt", id)
		l := Launch{Ladder: ladder, Rank: t.Trial.Rank, Trial: t.Trial.ID, Number: id.Number()}
		a := r.assignment(l)
		a.Sweep = "" // which sweep launched it is lost with the database
		if err := r.Store.BeginAttempt(ctx, l.Trial, l.Number, a, r.wall()); err != nil {
			return fmt.Errorf("adopt attempt %s: %w", id, err)
		}
	}
	return nil
}

// adoptOpen watches every attempt without an outcome that is not watched yet: those of an earlier coordinator, and those
// that the coordinator of another sweep runs for a trial both share. What was there before is watched. Who is to end waits for none that
// another one starts after that.
func (r *run) adoptOpen(before Snapshot) {
	watched := map[trial.AttemptID]bool{}
	for _, a := range r.live {
		watched[a.ID] = true
	}
	for i, l := range r.snapshot.Ladders {
		if i < len(before.Ladders) && l.Unchanged(before.Ladders[i]) {
			continue
		}
		l.Each(func(_ int, t *TrialFacts) {
			for _, f := range t.Attempts {
				if f.Outcome != nil || watched[f.ID] {
					continue
				}
				watched[f.ID] = true
				if a := r.adopted(i, t, f); !a.foreign || !r.interrupted {
					r.live = append(r.live, a)
				}
			}
		})
	}
}

// adoptLeaving watches a trial's last attempt where it has had its last word but its process is still there: no other attempt may start
// beside it, and one that hangs is killed. Trials that ended before since need no look.
func (r *run) adoptLeaving(ctx context.Context, ladder int, t *TrialFacts, since time.Time) error {
	last, may := t.mayLeave(since)
	if !may {
		return nil
	}
	process, err := r.Exec.Probe(ctx, last.ID)
	if err != nil {
		return fmt.Errorf("probe attempt %s: %w", last.ID, err)
	}
	if process.Alive {
		r.live = append(r.live, r.adopted(ladder, t, last))
	}
	return nil
}

// mayLeave reports whether a trial's last attempt has had its last word and may still have a process. Trials that ended before since need
// no look.
func (t *TrialFacts) mayLeave(since time.Time) (last AttemptFacts, may bool) {
	if len(t.Attempts) == 0 {
		return last, false
	}
	last = t.Attempts[len(t.Attempts)-1]
	return last, last.Outcome != nil && (!last.Outcome.State.EndsTrial() || !last.LastAt.Before(since))
}

// startPatience is how long after its intent was read another coordinator may take to start a worker: forking takes milliseconds.
const startPatience = 10 * time.Second

func (r *run) adopted(ladder int, t *TrialFacts, f AttemptFacts) *LiveAttempt {
	now, train := r.Clock.Now(), t.Trial.Spec().Train
	a := &LiveAttempt{
		ID: f.ID, Trial: t.Trial.ID, Ladder: ladder, Rank: t.Trial.Rank, Seed: t.seed(), Steps: t.Trial.Spec().TotalSteps(),
		Epochs:  train.EpochsAt(train.Steps, r.snapshot.Ladders[ladder].Corpus.TrainSequences),
		Started: now.Wall, Adopted: true, Step: t.LastStep, Up: f.LastSeq > 0, Compiled: t.LastStep > 0, Memory: t.Memory,
		Outcome: f.Outcome, endedAt: now.Uptime, triedAt: now.Uptime, seq: f.LastSeq, watch: r.watching(),
		microBatch: f.MicroBatch, beside: r.Capacity.Jobs > 1 && !r.Capacity.Apart && !t.shape().alone, // as far as anybody knows
	}
	a.foreign = f.Sweep != "" && f.Sweep != r.snapshot.Sweep.Name
	if t.Prediction != nil {
		a.Predicted = t.Prediction.PredictedBytes
	}
	if f.Sweep != r.snapshot.Sweep.Name && f.LastSeq == 0 {
		a.notBefore = now.Uptime + startPatience
	}
	return a
}

// distinct visits every trial of those ladders that is wanted once, with the first of them that holds it.
func (s Snapshot) distinct(ladders []int, wanted func(*TrialFacts) bool, visit func(ladder int, t *TrialFacts) error) error {
	seen := map[trial.ID]bool{}
	var first error
	for _, i := range ladders {
		s.Ladders[i].Each(func(_ int, t *TrialFacts) {
			if first != nil || !wanted(t) || seen[t.Trial.ID] {
				return
			}
			seen[t.Trial.ID] = true
			first = visit(i, t)
		})
	}
	return first
}
