package sweep

import (
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Outlook is what is left of a sweep: at least, where every ladder ends with the trials of its current rank that run, and at most, where
// all climb to their last rank with every seed of the grid.
type Outlook struct {
	Least, Most time.Duration
	Over, Of    int  // trials: those that are over, of at most so many
	Timed       bool // some trial has shown how long one takes
}

// Going is what a sweep does at the moment.
type Going struct {
	Verdicts   []plateau.Verdict             // one per ladder
	References []int                         // see Decision
	Busy       func(ladder int) map[int]bool // ranks whose trials run because the ladder waits for them
	Left       map[trial.ID]time.Duration    // what running trials still take
	Jobs       int                           // trials at the same time
}

// Foresee adds up what may still be trained, at the pace of what has trained. A trial that several ladders share counts once. One of a
// ladder that has its verdict is not to come any more, but for its reference; so it counts only where it is over.
func Foresee(s Snapshot, g Going) Outlook {
	f := foresight{going: g, seen: map[trial.ID]bool{}}
	f.perStep, f.out.Timed = pace(s, g.Left)
	for i := range s.Ladders {
		l, v := &s.Ladders[i], g.Verdicts[i]
		open := v.State == plateau.StateRunning
		current := l.Current(v, g.Busy(i))
		for r := range l.Rungs {
			if s.Sweep.Strategy != StrategyCurve { // which trains scouts alone
				f.add(l.Rungs[r].Trials, open, r == current)
			}
		}
		f.add(l.Scouts, open, len(v.Rungs) == 0)
		f.add(l.Reference, open || slices.Contains(g.References, i), false)
	}
	jobs := time.Duration(max(g.Jobs, 1))
	f.out.Least, f.out.Most = max(f.out.Least/jobs, f.asked), max(f.out.Most/jobs, f.longest)
	return f.out
}

// foresight is an outlook in the making.
type foresight struct {
	out            Outlook
	going          Going
	seen           map[trial.ID]bool
	perStep        time.Duration
	longest, asked time.Duration // of one trial, and of one that a ladder waits for: no number of jobs is faster
}

// add counts trials that may come where they are open. The ladder waits for those that are asked for.
func (f *foresight) add(trials []TrialFacts, open, asked bool) {
	for i := range trials {
		t := &trials[i]
		over := t.State().Over()
		if f.seen[t.Trial.ID] || !over && !open {
			continue
		}
		f.seen[t.Trial.ID] = true
		f.out.Of++
		if over {
			f.out.Over++
			continue
		}
		need, running := f.going.Left[t.Trial.ID]
		if !running {
			need = f.perStep * time.Duration(t.stepsLeft())
		}
		f.out.Most, f.longest = f.out.Most+need, max(f.longest, need)
		if asked && running {
			f.out.Least, f.asked = f.out.Least+need, max(f.asked, need)
		}
	}
}

func (t *TrialFacts) stepsLeft() int { return max(0, t.Trial.Spec().TotalSteps()-t.LastStep) }

// pace is what a step takes, evaluations among them: the mean over trials that are done, or else over what running ones have left.
func pace(s Snapshot, left map[trial.ID]time.Duration) (perStep time.Duration, known bool) {
	var done, ahead time.Duration
	var stepsDone, stepsAhead int
	s.Each(func(_ *Ladder, _ int, t *TrialFacts) {
		if o := t.Final(); o != nil && o.State == trial.OutcomeDone {
			done += time.Duration(max(o.TotalSeconds, o.TrainSeconds) * float64(time.Second))
			stepsDone += t.Trial.Spec().TotalSteps()
		}
		if d, ok := left[t.Trial.ID]; ok {
			ahead, stepsAhead = ahead+d, stepsAhead+t.stepsLeft()
		}
	})
	switch {
	case stepsDone > 0:
		return done / time.Duration(stepsDone), true
	case stepsAhead > 0:
		return ahead / time.Duration(stepsAhead), true
	}
	return 0, len(left) > 0
}

// Current is the index of the lowest rung that the ladder waits for, busy being the ranks that train for it: -1 where it has ended.
func (l Ladder) Current(v plateau.Verdict, busy map[int]bool) int {
	if v.State != plateau.StateRunning {
		return -1
	}
	last := -1
	for i, r := range l.Rungs {
		if busy[r.Rank] {
			return i
		}
		if slices.ContainsFunc(v.Rungs, func(judged plateau.RungVerdict) bool { return judged.Rank == r.Rank }) {
			last = i
		}
	}
	return min(last+1, len(l.Rungs)-1)
}

// Busy are the ranks of a ladder whose trials run, but for those that train ahead.
func (l Ladder) Busy(ahead []trial.ID) map[int]bool {
	busy := map[int]bool{}
	for _, r := range l.Rungs {
		for i := range r.Trials {
			if t := &r.Trials[i]; t.State() == TrialRunning && !slices.Contains(ahead, t.Trial.ID) {
				busy[r.Rank] = true
			}
		}
	}
	return busy
}
