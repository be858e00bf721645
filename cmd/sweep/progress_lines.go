package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

const (
	evalEvery  = 5 * time.Second  // a trial's evaluations are told at most so often
	aliveEvery = 30 * time.Second // a trial that only steps is mentioned so often
)

// progressLines writes one line for each thing that happens.
type progressLines struct {
	w       io.Writer
	now     func() time.Time
	begin   time.Time
	running bool       // also how running trials come along: where no bar shows it
	columns func() int // of the terminal, which lines stay within; 0 where there is none
	shell   prose.Shell

	begun  bool
	known  map[trial.AttemptID]bool // started, as told
	ended  map[trial.AttemptID]bool // ended, as told
	told   map[trial.AttemptID]told
	rates  rates
	rungs  map[int]int           // by ladder: rungs told
	states map[int]plateau.State // by ladder: the state told
	from   map[int]int           // by ladder: the rank that the climb around the knee begins at, as told
	paused bool                  // as told
	waits  bool                  // as told
	last   sweep.Progress        // shown

	extended bool // and not shown since
}

// told is the last line about a running trial.
type told struct {
	at   time.Time
	step int
	loss *float64
}

func newProgressLines(w io.Writer, now func() time.Time) *progressLines {
	return &progressLines{
		w: w, now: now, begin: now(), running: true, columns: func() int { return 0 },
		known: map[trial.AttemptID]bool{}, ended: map[trial.AttemptID]bool{}, told: map[trial.AttemptID]told{},
		rates: rates{}, rungs: map[int]int{}, states: map[int]plateau.State{}, from: map[int]int{},
	}
}

// follow goes on from what was told of the same sweep before it was extended; nil is nothing.
func (l *progressLines) follow(before *progressLines) {
	if l == nil || before == nil {
		return
	}
	here := *l
	*l = *before
	l.w, l.now, l.columns, l.running, l.shell, l.extended = here.w, here.now, here.columns, here.running, here.shell, true
}

// rearrange has what was told of ladders follow them to the places that an extension has given them.
func (l *progressLines) rearrange(now []sweep.Ladder) {
	rungs, states, from := l.rungs, l.states, l.from
	l.rungs, l.states, l.from = map[int]int{}, map[int]plateau.State{}, map[int]int{}
	at := map[int64]int{}
	for i := range now {
		at[now[i].ID] = i
	}
	for was := range l.last.Snapshot.Ladders {
		if i, there := at[l.last.Snapshot.Ladders[was].ID]; there {
			l.rungs[i], l.states[i], l.from[i] = rungs[was], states[was], from[was]
		}
	}
}

func (l *progressLines) show(p sweep.Progress) {
	if !l.begun {
		l.begun = true
		l.catchUp(p)
	}
	if l.extended {
		l.extended = false
		l.rearrange(p.Snapshot.Ladders)
	}
	l.showEnds(p)
	if len(p.Verdicts) > 0 && (len(l.last.Verdicts) == 0 || &p.Verdicts[0] != &l.last.Verdicts[0]) {
		l.showVerdicts(p) // of another decision
	}
	l.last = p
	l.showPause(p.Snapshot.Sweep)
	l.showWait(p.Waits)
	l.showStarts(p)
	if l.running {
		l.showRunning(p)
	}
}

// print writes one line behind the time since the beginning.
func (l *progressLines) print(format string, args ...any) {
	text := printable(strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
	if width := l.columns(); width > 0 {
		text = strings.ReplaceAll(ansi.Wrap(text, max(width-9, 20), ""), "\n", "\n"+strings.Repeat(" ", 9))
	}
	elapsed := report.Duration(l.now().Sub(l.begin).Truncate(100 * time.Millisecond))
	_, _ = fmt.Fprintf(l.w, "%7s  %s\n", elapsed, text) // nobody is helped by an error about progress
}

// catchUp passes over what happened before this coordinator.
func (l *progressLines) catchUp(p sweep.Progress) {
	done := 0
	eachTrial(p.Snapshot, sweep.Snapshot{}, func(ladder int, t sweep.TrialFacts) {
		for _, a := range t.Attempts {
			l.ended[a.ID] = a.Outcome != nil
		}
		scout := slices.ContainsFunc(p.Snapshot.Ladders[ladder].Scouts, func(s sweep.TrialFacts) bool { return s.Trial.ID == t.Trial.ID })
		if p.Snapshot.Sweep.Strategy == sweep.StrategyCurve && !scout { // another sweep trained it, and nobody asked for it
			return
		}
		if o := t.Final(); o != nil && o.State == trial.OutcomeDone {
			done++
		}
	})
	for i, v := range p.Verdicts {
		l.rungs[i] = len(v.Rungs)
	}
	if done > 0 {
		l.print("%s finished before: not trained again", plural(done, "trial"))
	}
}

// showPause says that a person paused the sweep, or lets it go on.
func (l *progressLines) showPause(info sweep.Info) {
	if info.Asked.Paused == l.paused {
		return
	}
	l.paused = info.Asked.Paused
	if l.paused {
		l.print("paused: what runs goes on to its end, nothing new starts until: %s", l.shell.Command("resume", info.Name))
	} else {
		l.print("going on")
	}
}

// showWait says why a sweep starts nothing new, once each time, and that it goes on.
func (l *progressLines) showWait(why string) {
	switch {
	case why != "" && !l.waits:
		l.print("waiting, what runs goes on: %s", why)
	case why == "" && l.waits:
		l.print("going on")
	}
	l.waits = why != ""
}

func (l *progressLines) showStarts(p sweep.Progress) {
	for _, a := range p.Live {
		if l.known[a.ID] || !a.Compiled {
			continue
		}
		l.known[a.ID] = true
		l.told[a.ID] = told{at: l.now()}
		how := "training"
		switch {
		case a.Adopted:
			how = fmt.Sprintf("goes on at step %d: its worker was found at work", a.Step)
		case a.ResumedAt > 0:
			how = fmt.Sprintf("training, from its checkpoint at step %d", a.ResumedAt)
		}
		l.print("%s %s (%s)", trialName(p, a.Ladder, a.Rank, a.Seed, a.Trial), how, a.ID)
	}
}

func (l *progressLines) showRunning(p sweep.Progress) {
	now := l.now()
	for _, a := range p.Live {
		l.rates.add(a, now)
		last, silent := l.told[a.ID], now.Sub(l.told[a.ID].at)
		fresh := a.ValLoss != nil && (last.loss == nil || *last.loss != *a.ValLoss)
		due := fresh && silent >= evalEvery || silent >= aliveEvery
		if !due || !l.known[a.ID] || a.Outcome != nil || a.Step == last.step {
			continue
		}
		l.told[a.ID] = told{at: now, step: a.Step, loss: a.ValLoss}
		l.print("%s %s", trialName(p, a.Ladder, a.Rank, a.Seed, a.Trial), strings.Join(l.rates.parts(a), ", "))
	}
}

func (l *progressLines) showEnds(p sweep.Progress) {
	eachTrial(p.Snapshot, l.last.Snapshot, func(ladder int, t sweep.TrialFacts) {
		for _, a := range t.Attempts {
			if a.Outcome == nil || l.ended[a.ID] {
				continue
			}
			l.ended[a.ID] = true
			l.rates.drop(a.ID)
			l.print("%s %s", trialName(p, ladder, t.Trial.Rank, t.Trial.Seed, t.Trial.ID), outcomeText(*a.Outcome)+sequelText(p, ladder, t, a))
		}
	})
}

func (l *progressLines) showVerdicts(p sweep.Progress) {
	for i, v := range p.Verdicts {
		l.showClimb(p, i)
		for _, r := range v.Rungs[min(l.rungs[i], len(v.Rungs)):] {
			l.print("%s%s", ladderName(p, i), report.RungText(r, v.MinGain))
		}
		l.rungs[i] = len(v.Rungs)
		if v.State != l.states[i] && v.State != plateau.StateRunning {
			l.print("%s%s: %s", ladderName(p, i), v.State, prose.Reason(v))
		}
		l.states[i] = v.State
	}
}

// showClimb says where a ladder that is scouted or screened begins to climb, or begins anew.
func (l *progressLines) showClimb(p sweep.Progress, ladder int) {
	v := p.Verdicts[ladder]
	held := v.Reason.Code == plateau.ReasonHeld && len(v.Reason.Ranks) == 0
	if s := v.Screening; s == nil || s.From == 0 || s.From == l.from[ladder] || held || len(s.Ranks) == 0 {
		return
	}
	s, before := v.Screening, l.from[ladder]
	l.from[ladder] = s.From
	name := strings.TrimSuffix(ladderName(p, ladder), " ")
	if name != "" {
		name += ": "
	}
	if before > 0 {
		l.print("%srank %d is the lowest trained and the incumbent: beginning again at rank %d", name, before, s.From)
		return
	}
	how := "screen"
	if s.Scout {
		how = "scout"
	}
	l.print("%s%s points to rank %d; climbing from rank %d", name, how, s.Knee, s.From)
}

// outcomeText says how an attempt ended, as the end of a sentence about its trial.
func outcomeText(o trial.Outcome) string {
	switch o.State {
	case trial.OutcomeDone:
		text := fmt.Sprintf("finished in %s", report.Seconds(o.TrainSeconds))
		if o.ValLoss != nil {
			text += fmt.Sprintf(": val_loss %.4f at step %d", *o.ValLoss, o.BestStep)
		}
		return text
	case trial.OutcomeFailed: // for which alone the exit code is 3
		return fmt.Sprintf("%s at step %d for good: %s", o.State, o.Step, o.Error)
	case trial.OutcomeInterrupted, trial.OutcomeCrashed, trial.OutcomeUnstable, trial.OutcomeOverMemory, trial.OutcomeOverTime:
	}
	return fmt.Sprintf("%s at step %d: %s", o.State, o.Step, o.Error)
}

// sequelText says what comes of a trial after an attempt that crashed, where that was its last and its ladder goes on.
func sequelText(p sweep.Progress, ladder int, t sweep.TrialFacts, a sweep.AttemptFacts) string {
	if a.Outcome.State != trial.OutcomeCrashed || a.ID != t.Attempts[len(t.Attempts)-1].ID {
		return ""
	}
	switch t.State() {
	case sweep.TrialCrashed:
		if p.Snapshot.Sweep.Asked.Cancelled || p.Verdicts[ladder].State != plateau.StateRunning {
			return ""
		}
		if rest := t.Rest(); rest > 0 {
			return fmt.Sprintf("; it will be tried again in %s", report.Duration(rest))
		}
		return "; it will be tried again"
	case sweep.TrialFailed:
		_, crashes := t.Failure()
		return fmt.Sprintf("; failed for good after %d attempts that got no further", crashes)
	case sweep.TrialOverMemory:
		return "; not tried again: it needs more memory than there is"
	case sweep.TrialPending, sweep.TrialRunning, sweep.TrialInterrupted, sweep.TrialDone, sweep.TrialUnstable, sweep.TrialOverTime:
	}
	return ""
}

// eachTrial visits the trials of the ladders of which something changed since.
func eachTrial(s, before sweep.Snapshot, f func(ladder int, t sweep.TrialFacts)) {
	for i, l := range s.Ladders {
		if i < len(before.Ladders) && l.Unchanged(before.Ladders[i]) {
			continue
		}
		l.Each(func(_ int, t *sweep.TrialFacts) { f(i, *t) })
	}
}

// ladderName is empty where there is only one ladder.
func ladderName(p sweep.Progress, ladder int) string {
	if len(p.Snapshot.Ladders) < 2 {
		return ""
	}
	return fmt.Sprintf("ladder %d ", ladder+1)
}

// trialName names a trial by rank and seed, and by its candidate where axes are tuned; one of a reference by its learning rate.
func trialName(p sweep.Progress, ladder, rank int, seed int64, trial trial.ID) string {
	if rank == 0 && ladder < len(p.Snapshot.Ladders) {
		for _, t := range p.Snapshot.Ladders[ladder].Reference {
			if t.Trial.ID == trial {
				return fmt.Sprintf("%sfull seed %d learning_rate=%g", ladderName(p, ladder), seed, t.Trial.Spec().Train.LearningRate)
			}
		}
	}
	name := fmt.Sprintf("rank %d seed %d", rank, seed)
	if ladder >= len(p.Snapshot.Ladders) {
		return ladderName(p, ladder) + name
	}
	l := p.Snapshot.Ladders[ladder]
	scout := func(t sweep.TrialFacts) bool { return t.Trial.ID == trial }
	rungs := l.Rungs
	if slices.ContainsFunc(l.Scouts, scout) {
		name, rungs = "scout of "+name, []sweep.Rung{{Trials: l.Scouts}}
	}
	name = ladderName(p, ladder) + name
	if len(l.Candidates) == 0 {
		return name
	}
	for _, r := range rungs {
		for _, t := range r.Trials {
			if t.Trial.ID == trial {
				return name + " " + l.Candidates[t.Candidate].String()
			}
		}
	}
	return name
}
