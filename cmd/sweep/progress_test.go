package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a test flag

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), rewrite it with -update:\n%s", name, diff)
	}
}

// play is a sweep of ranks 1, 2 and 4 with seeds 0 and 1 as a scheduler would tell it.
type play struct {
	snapshot sweep.Snapshot
	live     []sweep.LiveAttempt
}

func newPlay() *play {
	p := &play{snapshot: sweep.Snapshot{Sweep: sweep.Info{Name: "prose", Rule: plateau.DefaultRule(), Seeds: []int64{0, 1}}}}
	ladder := sweep.Ladder{ID: 1}
	for _, rank := range []int{1, 2, 4} {
		rung := sweep.Rung{Rank: rank}
		for seed := range int64(2) {
			spec := trial.Spec{Seed: seed, LoRA: lora.Spec{Rank: rank, Alpha: 16}, Train: trial.TrainSpec{Steps: 100}}
			rung.Trials = append(rung.Trials, sweep.TrialFacts{Trial: trial.New(spec, "base", "data", "go").Brief()})
		}
		ladder.Rungs = append(ladder.Rungs, rung)
	}
	p.snapshot.Ladders = []sweep.Ladder{ladder}
	return p
}

// progress is as of now: what was shown before does not change.
func (p *play) progress() sweep.Progress {
	p.snapshot.Ladders = slices.Clone(p.snapshot.Ladders)
	for i := range p.snapshot.Ladders {
		p.snapshot.Ladders[i].Rungs = slices.Clone(p.snapshot.Ladders[i].Rungs)
	}
	return sweep.Progress{
		Snapshot: p.snapshot, Live: append([]sweep.LiveAttempt(nil), p.live...),
		Verdicts: []plateau.Verdict{sweep.Conclude(p.snapshot).Verdicts[0]},
	}
}

func (p *play) trial(rung int, seed int64) *sweep.TrialFacts {
	return &p.snapshot.Ladders[0].Rungs[rung].Trials[seed]
}

func (p *play) start(rung int, seed int64) *sweep.LiveAttempt {
	t := p.trial(rung, seed)
	number := len(t.Attempts) + 1
	id := trial.NewAttemptID(t.Trial.ID, number)
	t.Attempts = append(t.Attempts, sweep.AttemptFacts{ID: id, Number: number, CheckpointStep: -1})
	p.live = append(p.live, sweep.LiveAttempt{
		ID: id, Trial: t.Trial.ID, Rank: t.Trial.Rank, Seed: seed, Steps: 100, Epochs: 2.5, Compiled: true,
	})
	return &p.live[len(p.live)-1]
}

func (p *play) step(i, step int, train, val float64) {
	a := &p.live[i]
	a.Step, a.Tokens, a.TrainLoss = step, int64(step)*504, &train
	if val != 0 {
		a.ValLoss = &val
	}
}

func (p *play) end(i int, o trial.Outcome) {
	for l := range p.snapshot.Ladders[0].Rungs {
		for s := range p.snapshot.Ladders[0].Rungs[l].Trials {
			attempts := p.snapshot.Ladders[0].Rungs[l].Trials[s].Attempts
			for k := range attempts {
				if attempts[k].ID == p.live[i].ID {
					attempts[k].Outcome = &o
				}
			}
		}
	}
	p.live = append(p.live[:i:i], p.live[i+1:]...)
}

func done(loss float64) trial.Outcome {
	return trial.Outcome{
		State: trial.OutcomeDone, Step: 100, ValLoss: &loss, BestStep: 90, TrainSeconds: 12.34,
		TrainLoss: &loss, LastValLoss: &loss,
	}
}

// perform plays the sweep to show, one moment after another; wait lets time pass.
func perform(p *play, show func(sweep.Progress), wait func(time.Duration)) {
	p.start(0, 0).Compiled = false
	p.start(0, 1)
	show(p.progress())
	p.live[0].Compiled = true
	wait(2 * time.Second)
	p.step(0, 1, 5.1, 5.05)
	p.step(1, 1, 5.2, 5.06)
	show(p.progress())
	for step := 10; step <= 40; step += 10 {
		wait(time.Second)
		p.step(0, step, 5-float64(step)/100, 0)
		p.step(1, step, 5.1-float64(step)/100, 4.9-float64(step)/200)
		show(p.progress())
	}
	wait(40 * time.Second)
	p.step(0, 41, 4.6, 0)
	show(p.progress())
	p.end(1, trial.Outcome{State: trial.OutcomeCrashed, Step: 40, Error: "the worker ended without a word:\nsignal: killed"})
	show(p.progress())
	p.start(0, 1).ResumedAt = 40
	show(p.progress())
	wait(20 * time.Second)
	p.end(0, done(4.79))
	p.end(0, done(4.81))
	p.start(1, 0)
	p.start(1, 1)
	show(p.progress())
	wait(20 * time.Second)
	p.end(0, done(4.789))
	p.end(0, done(4.809))
	p.start(2, 0)
	show(p.progress())
	p.start(2, 1)
	wait(20 * time.Second)
	p.end(0, done(4.788))
	p.end(0, trial.Outcome{State: trial.OutcomeUnstable, Step: 3, Error: "the loss is not finite"})
	show(p.progress())
}

// TestProgressOfAScout: a scout is told of as other trials are, by a name of its own, and counted where it was finished before.
func TestProgressOfAScout(t *testing.T) {
	t.Parallel()
	p := newPlay()
	l := &p.snapshot.Ladders[0]
	top := l.Rungs[2].Trials[0].Trial.Spec()
	scout := trial.New(top.ShrinkTo([]lora.Spec{l.Rungs[1].Trials[0].Trial.Spec().LoRA}), "base", "data", "go").Brief()
	id := trial.NewAttemptID(scout.ID, 1)
	l.Scouts = []sweep.TrialFacts{{Trial: scout, Attempts: []sweep.AttemptFacts{{ID: id, Number: 1}}}}
	p.live = []sweep.LiveAttempt{{ID: id, Trial: scout.ID, Rank: 4, Steps: 110, Compiled: true}}
	var b bytes.Buffer
	lines := newProgressLines(&b, time.Now)
	lines.show(p.progress())
	o := done(4.8)
	l.Scouts[0].Attempts[0].Outcome = &o
	p.live = nil
	lines.show(p.progress())
	newProgressLines(&b, time.Now).show(p.progress())
	for _, part := range []string{
		"  scout of rank 4 seed 0 training (" + string(id) + ")\n", "  scout of rank 4 seed 0 finished in 12.3s: val_loss 4.8000 at step 90\n",
		"  1 trial finished before: not trained again\n",
	} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("progress lacks %q:\n%s", part, b.String())
		}
	}
}

// TestProgressOfAScoutAlone: trials of the ranks, which another sweep trained, are none of a scout's.
func TestProgressOfAScoutAlone(t *testing.T) {
	t.Parallel()
	p := newPlay()
	p.start(0, 0)
	p.end(0, done(4.79))
	p.snapshot.Sweep.Strategy = sweep.StrategyCurve
	var b bytes.Buffer
	newProgressLines(&b, time.Now).show(p.progress())
	if b.String() != "" {
		t.Errorf("said: %s", b.String())
	}
}

// TestProgressToTheClimb: what a scout points to and where the climb begins is told, and that it begins anew lower, each once.
func TestProgressToTheClimb(t *testing.T) {
	t.Parallel()
	p := newPlay()
	var b bytes.Buffer
	lines := newProgressLines(&b, time.Now)
	show := func(from int, code plateau.Code) {
		progress := p.progress()
		progress.Verdicts = []plateau.Verdict{{
			State: plateau.StateRunning, Reason: plateau.Finding{Code: code},
			Screening: &plateau.Screening{Scout: true, Rank: 4, Knee: 4, From: from, Ranks: []int{1, 2, 4}},
		}}
		lines.show(progress)
	}
	for _, s := range []struct {
		from int
		code plateau.Code
		want string
	}{
		{2, plateau.ReasonHeld, ""},
		{2, plateau.ReasonRunning, "scout points to rank 4; climbing from rank 2\n"},
		{2, plateau.ReasonRunning, ""},
		{1, plateau.ReasonRunning, "rank 2 is the lowest trained and the incumbent: beginning again at rank 1\n"},
	} {
		b.Reset()
		if show(s.from, s.code); !strings.HasSuffix(b.String(), s.want) || s.want == "" && b.Len() > 0 {
			t.Errorf("from rank %d: %q, want %q", s.from, b.String(), s.want)
		}
	}
}

// TestProgressOfAnOutracedLadder: that a ladder is out, and why, is told once.
func TestProgressOfAnOutracedLadder(t *testing.T) {
	t.Parallel()
	p := newPlay().progress()
	p.Verdicts = []plateau.Verdict{{State: plateau.StateOutraced, Reason: plateau.Finding{
		Code: plateau.ReasonOutraced, Count: 2, Name: "alpha=32", Ranks: []int{1, 2}, Values: []float64{0.3, 0.4},
		Gain: &plateau.Interval{Mean: 0.4, Lo: new(0.35)}, Value: 0.95,
	}}}
	var b bytes.Buffer
	lines := newProgressLines(&b, time.Now)
	lines.show(p)
	lines.show(p)
	if n := strings.Count(b.String(), "outraced: ladder 2 (alpha=32) is ahead by 0.3 at rank 1"); n != 1 {
		t.Errorf("told %d times:\n%s", n, b.String())
	}
}

func TestProgressLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	now := time.Unix(0, 0)
	lines := newProgressLines(&b, func() time.Time { return now })
	perform(newPlay(), lines.show, func(d time.Duration) { now = now.Add(d) })
	golden(t, "progress.txt", b.String())
}

// TestWhatComesOfACrash: a line that says that an attempt crashed says whether the trial goes on.
func TestWhatComesOfACrash(t *testing.T) {
	t.Parallel()
	for want, causes := range map[string][]cause.Cause{
		"; it will be tried again":                               {cause.Killed},
		"; it will be tried again in 2.0s":                       {cause.Killed, cause.Killed, cause.Disk},
		"; it will be tried again in 1m04s":                      slices.Repeat([]cause.Cause{cause.Killed}, 8),
		"; failed for good after 5 attempts that got no further": slices.Repeat([]cause.Cause{cause.Crash}, 5),
		"; not tried again: it needs more memory than there is":  {cause.Memory, cause.Memory},
	} {
		p := newPlay()
		for i, c := range causes {
			p.start(0, 0)
			p.end(0, trial.Outcome{State: trial.OutcomeCrashed, Cause: c, MicroBatch: i})
		}
		facts := *p.trial(0, 0)
		last := len(causes) - 1
		now := p.progress()
		if got := sequelText(now, 0, facts, facts.Attempts[last]); got != want {
			t.Errorf("after %v: %q, want %q", causes, got, want)
		}
		if got := sequelText(now, 0, facts, facts.Attempts[0]); last > 0 && got != "" {
			t.Errorf("of the first of %v: %q", causes, got)
		}
		now.Snapshot.Sweep.Asked.Cancelled = true
		if got := sequelText(now, 0, facts, facts.Attempts[last]); strings.Contains(got, "will be") {
			t.Errorf("of a cancelled sweep, after %v: %q", causes, got)
		}
	}
}

func TestProgressLinesAfterResume(t *testing.T) {
	t.Parallel()
	p := newPlay()
	for seed, loss := range []float64{4.79, 4.81} {
		p.start(0, int64(seed))
		p.end(0, done(loss))
	}
	p.start(1, 0)
	var b bytes.Buffer
	now := time.Unix(0, 0)
	lines := newProgressLines(&b, func() time.Time { return now })
	lines.show(p.progress())
	want := "    0ms  2 trials finished before: not trained again\n" +
		"    0ms  rank 2 seed 0 training (" + string(p.live[0].ID) + ")\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("lines after a resume (-want +got):\n%s", diff)
	}

	// The sweep is extended: the clock goes on, and nothing is announced twice. A worker of another coordinator is told as that.
	p.live[0].Adopted = true
	p.start(1, 1)
	p.live[1].Adopted = true
	b.Reset()
	now = now.Add(8 * time.Second)
	after := newProgressLines(&b, func() time.Time { return now })
	after.follow(lines)
	after.show(p.progress())
	want = "   8.0s  rank 2 seed 1 goes on at step 0: its worker was found at work (" + string(p.live[1].ID) + ")\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("lines after an extension (-want +got):\n%s", diff)
	}
}

// syncBuffer is a bytes.Buffer that two goroutines may use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestProgressBars(t *testing.T) {
	t.Parallel()
	var b syncBuffer
	refresh := make(chan any)
	now := time.Unix(0, 0)
	bars := newProgressBars(&b, func() time.Time { return now }, mpb.WithManualRefresh(refresh), mpb.WithWidth(60))
	p := newPlay()
	perform(p, func(s sweep.Progress) {
		bars.show(s)
		for range 3 { // the third is taken once the first is drawn
			refresh <- time.Now()
		}
	}, func(d time.Duration) { now = now.Add(d) })
	if _, err := fmt.Fprintln(bars, "a line above the bars"); err != nil {
		t.Fatal(err)
	}
	bars.stop()
	if _, err := fmt.Fprintln(bars, "a line after the bars"); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"rank 1 seed 0", "starting", "━", "step 40/100", "rank 1: 0 of 2 trials finished", "rank 2: 0 of 2", "rank 4 seed 0",
		"a line above the bars\n", "a line after the bars\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the bars never showed %q:\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if n := len([]rune(strings.TrimRight(stripEscapes(line), "\n"))); n > 60 {
			t.Errorf("line of %d columns on a terminal of 60: %q", n, line)
		}
	}
}

// stripEscapes removes cursor movements.
func stripEscapes(s string) string {
	for {
		begin := strings.Index(s, "\x1b[")
		if begin < 0 {
			return s
		}
		end := strings.IndexAny(s[begin+2:], "ABCDJKHm")
		if end < 0 {
			return s[:begin]
		}
		s = s[:begin] + s[begin+2+end+1:]
	}
}

func TestQuietProgress(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := (&app{stderr: &b, logTo: &switchWriter{w: &b}, quiet: true}).newProgress()
	perform(newPlay(), p.show, func(time.Duration) {})
	p.stop()
	if b.Len() > 0 {
		t.Errorf("-q wrote %q, want nothing", b.String())
	}
}
