package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// climbText is a ladder as "1 ✓ 2 ✓ 4 ✓ [8] 16 …" in at most width columns: finished ranks, the one that trains, the next. busy are the
// ranks that the ladder waits for and that train. What it lacks room for goes from the left.
func climbText(l sweep.Ladder, v plateau.Verdict, busy map[int]bool, width int) string {
	marks, current := climbMarks(l, v, busy)
	for len(marks) > 1 && ansi.StringWidth(strings.Join(marks, " ")) > width {
		switch {
		case current > 1 || current < 0:
			marks, current = append([]string{ellipsis}, marks[2:]...), current-1
		default:
			marks = marks[:len(marks)-1]
		}
	}
	return ansi.Truncate(strings.Join(marks, " "), width, ellipsis)
}

// climbMarks returns the marks, and which of them is the current one: -1 where none is.
func climbMarks(l sweep.Ladder, v plateau.Verdict, busy map[int]bool) (marks []string, current int) {
	now := currentRung(l, v, busy)
	current = -1
	for i, r := range l.Rungs {
		switch {
		case i == now:
			current = len(marks)
			marks = append(marks, fmt.Sprintf("[%d]", r.Rank))
		case counted(v, r.Rank):
			marks = append(marks, fmt.Sprintf("%d ✓", r.Rank))
		case r.Lost():
			marks = append(marks, fmt.Sprintf("%d ✗", r.Rank))
		case now >= 0 && i == now+1:
			marks = append(marks, fmt.Sprint(r.Rank))
		case now >= 0 && i > now:
			return append(marks, ellipsis), current
		}
	}
	return marks, current
}

// currentRung is the lowest rung that the ladder waits for: -1 where it has ended.
func currentRung(l sweep.Ladder, v plateau.Verdict, busy map[int]bool) int {
	if v.State != plateau.StateRunning {
		return -1
	}
	last := -1
	for i, r := range l.Rungs {
		if busy[r.Rank] {
			return i
		}
		if counted(v, r.Rank) {
			last = i
		}
	}
	return min(last+1, len(l.Rungs)-1)
}

func counted(v plateau.Verdict, rank int) bool {
	return slices.ContainsFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.Rank == rank })
}

// outlook is what is left of a sweep: least where every ladder ends with the trials of its current rank that run, most where all climb
// to their last rank with every seed of the grid.
type outlook struct {
	least, most time.Duration
	done, of    int  // trials: those that are over, of at most so many
	timed       bool // some trial has shown how long one takes
}

// foresee adds up what open ladders may still train, at the pace of what has trained. left is what running trials still take.
func foresee(s sweep.Snapshot, verdicts []plateau.Verdict, busy func(ladder int) map[int]bool, left map[trial.ID]time.Duration, jobs int,
) outlook {
	var o outlook
	each, known := pace(s, left)
	o.timed = known
	seen := map[trial.ID]bool{}
	var longest, asks time.Duration // of one trial: no number of jobs is faster
	for i, l := range s.Ladders {
		open := verdicts[i].State == plateau.StateRunning
		current := currentRung(l, verdicts[i], busy(i))
		add := func(trials []sweep.TrialFacts, asked bool) {
			for k := range trials {
				t := &trials[k]
				over := t.State().Over()
				if seen[t.Trial.ID] || !over && !open {
					continue
				}
				seen[t.Trial.ID] = true
				o.of++
				if over {
					o.done++
					continue
				}
				need, running := left[t.Trial.ID]
				if !running {
					need = each
				}
				o.most, longest = o.most+need, max(longest, need)
				if asked && running {
					o.least, asks = o.least+need, max(asks, need)
				}
			}
		}
		for r := range l.Rungs {
			add(l.Rungs[r].Trials, r == current)
		}
		add(l.Scouts, len(verdicts[i].Rungs) == 0)
		add(l.Reference, false)
	}
	n := time.Duration(max(jobs, 1))
	o.least, o.most = max(o.least/n, asks), max(o.most/n, longest)
	return o
}

// pace is what a trial takes: the mean of those that are done, or else what the longest of the running ones still takes.
func pace(s sweep.Snapshot, left map[trial.ID]time.Duration) (time.Duration, bool) {
	var sum float64
	n := 0
	eachTrial(s, sweep.Snapshot{}, func(_ int, t sweep.TrialFacts) {
		if o := t.Final(); o != nil && o.State == trial.OutcomeDone {
			sum += max(o.TotalSeconds, o.TrainSeconds)
			n++
		}
	})
	if n > 0 {
		return time.Duration(sum / float64(n) * float64(time.Second)), true
	}
	var longest time.Duration
	for _, d := range left {
		longest = max(longest, d)
	}
	return longest, len(left) > 0
}

// String is "3 of at most 12 trials, 4s to 2m5s left".
func (o outlook) String() string {
	if o.done == o.of {
		return plural(o.of, "trial") + " over"
	}
	text := fmt.Sprintf("%d of at most %s", o.done, plural(o.of, "trial"))
	least, most := o.least.Round(time.Second), o.most.Round(time.Second)
	switch {
	case !o.timed || most == 0:
		return text
	case least == most:
		return fmt.Sprintf("%s, %s left", text, most)
	case least == 0:
		return fmt.Sprintf("%s, up to %s left", text, most)
	}
	return fmt.Sprintf("%s, %s to %s left", text, least, most)
}
