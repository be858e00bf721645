package live

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// shownStrips is how many ladders stand as strips, undecided ones first; shownTrials is how many running trials are drawn.
const (
	shownStrips = 24
	shownTrials = 32
)

// now says what goes on, given the steps of the trials that run.
func (v *view) now(ctx context.Context, points map[trial.ID][]store.PointRow) (page.Now, error) {
	r := v.made.Report()
	state, line, err := v.server.config.Working(ctx, v.snapshot.Sweep, len(v.snapshot.Ladders) > 0 && v.decision.Done)
	if err != nil {
		return page.Now{}, err
	}
	n := page.Now{State: state, Lines: []string{line}, Warnings: v.snapshot.Sweep.Warnings}
	if len(v.snapshot.Ladders) == 0 {
		n.Lines = append(n.Lines, "its model and data have not been read yet")
	}
	left := map[trial.ID]time.Duration{}
	seen := map[trial.ID]bool{}
	v.snapshot.Each(func(l *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		if seen[t.Trial.ID] || t.State() != sweep.TrialRunning || err != nil {
			return
		}
		seen[t.Trial.ID] = true
		if d, ok := speedOf(points[t.Trial.ID]).Left(t.Trial.Spec().TotalSteps() - t.LastStep); ok {
			left[t.Trial.ID] = d
		}
		if len(n.Running) >= shownTrials {
			return
		}
		var shown page.Running
		shown, err = v.running(ctx, l, t, points[t.Trial.ID], works(state))
		n.Running = append(n.Running, shown)
	})
	if err != nil {
		return n, err
	}
	v.jobs = max(v.jobs, len(seen))
	v.count(&n, left)
	v.strips(&n, r)
	return n, nil
}

// stateRunning is the state of a sweep that a coordinator works on, statePaused of one where it starts nothing new, and stateWaiting of one
// where it starts nothing new before the disk has room.
const (
	stateRunning = "running"
	statePaused  = "paused"
	stateWaiting = "waiting"
)

func works(state string) bool {
	return state == stateRunning || state == statePaused || state == stateWaiting
}

// count says how many trials are over, of at most how many, and how long the others take.
func (v *view) count(n *page.Now, left map[trial.ID]time.Duration) {
	d := v.decision
	o := sweep.Foresee(v.snapshot, sweep.Going{
		Verdicts: d.Verdicts, References: d.References, Left: left, Jobs: v.jobs,
		Busy: func(i int) map[int]bool { return v.snapshot.Ladders[i].Busy(d.Ahead) },
	})
	n.Over, n.Most = o.Over, o.Of
	if n.State != stateRunning {
		return
	}
	if text := report.Left(o); text != "" {
		n.Lines = append(n.Lines, strings.ToUpper(text[:1])+text[1:]+": a verdict may come before the last rank.")
	}
	if limit := v.snapshot.Sweep.Limits.Time; limit > 0 {
		n.Lines = append(n.Lines, fmt.Sprintf("limits.time: %s of %s worked.", report.Duration(v.snapshot.Sweep.Elapsed), report.Duration(limit)))
	}
	if limit := v.snapshot.Sweep.Limits.Tokens; limit > 0 {
		n.Lines = append(n.Lines, fmt.Sprintf("limits.tokens: %s of %s trained.", report.Count(v.snapshot.Sweep.Tokens), report.Count(limit)))
	}
}

// strips shows ladders as their ranks in a row.
func (v *view) strips(n *page.Now, r report.Report) {
	order := make([]int, 0, len(r.Ladders))
	for i := range r.Ladders {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return turn(r.Ladders[a]) - turn(r.Ladders[b]) })
	n.Unshown = max(0, len(order)-shownStrips)
	for _, i := range order[:min(len(order), shownStrips)] {
		l := r.Ladders[i]
		s := page.Strip{State: l.Verdict.State, Reason: l.Verdict.Reason}
		if len(r.Ladders) > 1 {
			s.Title = l.Title()
			if turn(l) > 1 {
				s.Reason = "" // it stands below
			}
		}
		for _, rung := range v.snapshot.Ladders[i].Rungs {
			s.Ranks = append(s.Ranks, stripRank(l, rung, works(n.State)))
		}
		n.Ladders = append(n.Ladders, s)
	}
}

// turn sorts ladders that climb before those that are decided, and those that have begun before the others.
func turn(l report.Ladder) int {
	switch {
	case l.Verdict.State != plateau.StateRunning:
		return 2
	case len(l.Rungs) == 0:
		return 1
	}
	return 0
}

// stripRank says how far a rank is.
func stripRank(l report.Ladder, rung sweep.Rung, working bool) page.StripRank {
	s := page.StripRank{Rank: strconv.Itoa(rung.Rank), State: page.StripPending, Note: "not begun"}
	s.Best = l.Verdict.RecommendedRank != nil && *l.Verdict.RecommendedRank == rung.Rank
	if l.Verdict.State != plateau.StateRunning {
		s.State, s.Note = page.StripUnneeded, "not needed"
	}
	for _, r := range l.Rungs {
		if r.Rank != rung.Rank {
			continue
		}
		s.Note = r.Finding()
		if r.ValLoss != nil {
			s.Note += ", val_loss " + l.Numbers().Mean(r)
		}
		switch {
		case slices.ContainsFunc(r.Trials, func(t report.Trial) bool { return t.State.Lost() }):
			s.State = page.StripFailed
		case r.Decision != nil:
			s.State = page.StripDone
		default:
			s.State = page.StripBegun
		}
	}
	for i := range rung.Trials {
		if rung.Trials[i].State() == sweep.TrialRunning && working {
			s.State, s.Note = page.StripRunning, s.Note+", running"
			break
		}
	}
	return s
}

// running describes a trial that runs, or was left when its coordinator ended.
func (v *view) running(ctx context.Context, l *sweep.Ladder, t *sweep.TrialFacts, points []store.PointRow, working bool,
) (page.Running, error) {
	attempt := t.Attempts[len(t.Attempts)-1]
	out := page.Running{
		ID: t.Trial.ID, Title: v.title(l, t), State: stateRunning, Step: t.LastStep, Steps: t.Trial.Spec().TotalSteps(),
		Memory: v.memory(t), Training: trainLosses(points),
	}
	for _, e := range t.Evaluations {
		out.Validation = append(out.Validation, page.Evaluation{Step: e.Step, ValLoss: e.ValLoss})
	}
	dir := attempt.ID.Dir(v.server.config.Root)
	stepped := len(points) > 0 && points[len(points)-1].Attempt == attempt.Number
	switch {
	case !working:
		var err error
		if out.State, err = v.server.config.Abandoned(ctx, t); err != nil {
			return out, err
		}
	case attempt.LastSeq < 2: // the first event says that it started, the second that its step is compiled
		out.State = "compiling"
	case !stepped:
		out.State = "starting"
	}
	out.Facts = facts(t, points, out.Step, out.Steps)
	var err error
	out.Logs, err = logs(dir)
	return out, err
}

// title names a trial among those of its sweep.
func (v *view) title(l *sweep.Ladder, t *sweep.TrialFacts) string {
	name := fmt.Sprintf("rank %d, seed %d", t.Trial.Rank, t.Trial.Seed)
	switch {
	case t.Trial.Rank == 0:
		name = fmt.Sprintf("full fine-tuning, seed %d, learning_rate=%g", t.Trial.Seed, t.Trial.Spec().Train.LearningRate)
	case slices.ContainsFunc(l.Scouts, func(s sweep.TrialFacts) bool { return s.Trial.ID == t.Trial.ID }):
		name = "scout of " + name
	case t.Candidate < len(l.Candidates):
		name += ", " + l.Candidates[t.Candidate].String()
	}
	if len(v.snapshot.Ladders) > 1 {
		name = fmt.Sprintf("ladder %d, %s", l.Index+1, name)
	}
	return name
}

// facts are the latest numbers of a trial that runs.
func facts(t *sweep.TrialFacts, points []store.PointRow, step, steps int) []page.Fact {
	var out []page.Fact
	if n := len(points); n > 0 {
		out = append(out, page.Fact{Name: "train_loss", Value: fmt.Sprintf("%.4f", points[n-1].TrainLoss)})
	}
	if n := len(t.Evaluations); n > 0 {
		out = append(out, page.Fact{Name: "val_loss", Value: fmt.Sprintf("%.4f at step %d", t.Evaluations[n-1].ValLoss, t.Evaluations[n-1].Step)})
	}
	speed := speedOf(points)
	if left, ok := speed.Left(steps - step); ok {
		out = append(out, page.Fact{Name: "speed", Value: report.Count(int64(speed.Tokens)) + " tok/s"})
		out = append(out, page.Fact{Name: "left", Value: report.Foreseen(left)})
	}
	return out
}

// speedOf is that of the newest attempt.
func speedOf(points []store.PointRow) sweep.Speed {
	var passed []sweep.Passed
	for _, p := range points {
		if p.Attempt == points[len(points)-1].Attempt {
			passed = append(passed, sweep.Passed{At: p.At, Step: p.Step, Tokens: p.Tokens})
		}
	}
	return sweep.SpeedOf(passed)
}

// memory is a trial's peak beside what it may use: limits.memory, else what the machine has, where trials use that.
func (v *view) memory(t *sweep.TrialFacts) *page.Gauge {
	info := v.snapshot.Sweep
	g := page.Gauge{Used: t.Memory.Peak(info.Platform), Limit: info.Limits.Memory}
	what := "limits.memory"
	if g.Limit == 0 && !trial.OnDevice(info.Platform) {
		g.Limit, what = v.server.config.HostBytes, "this machine's memory"
	}
	switch {
	case g.Used > 0:
		g.Text = "peak " + trial.FormatBytes(g.Used)
	case t.Prediction == nil:
		return nil
	}
	if p := t.Prediction; p != nil {
		if g.Text != "" {
			g.Text += ", "
		}
		g.Text += "predicted " + trial.FormatBytes(p.PredictedBytes)
	}
	if g.Limit > 0 {
		g.Text += ", of " + trial.FormatBytes(g.Limit) + " (" + what + ")"
	}
	return &g
}
