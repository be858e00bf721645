package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// writeStatus prints s for a person.
func writeStatus(w io.Writer, s sweepStatus, shell prose.Shell, now time.Time) error {
	elapsed := s.ElapsedSeconds // up to the last heartbeat
	if s.Coordinator.works() {
		elapsed += min(max(now.Sub(s.Coordinator.Heartbeat), 0), store.LeaseTime).Seconds()
	}
	fmt.Fprintf(w, "sweep %s: %s, %s of work\n", s.Sweep, s.State, report.Seconds(elapsed))
	fmt.Fprint(w, coordinatorLine(s, shell, now))
	if s.Strategy == sweep.StrategyScreen {
		fmt.Fprint(w, "strategy screen: the largest rank first, then the ranks around the knee of its truncated adapters\n")
	}
	if s.Strategy.Scouts() {
		fmt.Fprintf(w, "strategy %s: one trial that shows every rank%s\n", s.Strategy, map[bool]string{
			true: ", then the ranks around the knee of its curve", false: ", and no other",
		}[s.Strategy == sweep.StrategyScout])
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if len(s.Ladders) == 0 {
		fmt.Fprint(w, "its model and data have not been read yet\n")
	}
	for _, l := range s.Ladders {
		fmt.Fprintf(w, "\nladder %d%s: %s", l.Number, inBrackets(l.Cell.Axes()), l.State)
		if l.RecommendedRank > 0 && l.State != string(plateau.StateOutraced) && l.Code != plateau.ReasonDiverged {
			fmt.Fprint(w, ", "+toUse(l.State, l.RecommendedRank))
		}
		fmt.Fprintln(w)
		for _, s := range l.Scouts {
			t := s.Trials[0]
			fmt.Fprintf(w, "scout of rank %d: trial %s, %s, step %d/%d\n", s.Rank, t.ID, t.State, t.Step, t.Steps)
		}
		if err := writeRungs(w, l.rows()); err != nil {
			return err
		}
	}
	return nil
}

// toUse says which rank is to be used, as far as the state of its ladder allows.
func toUse(state string, rank int) string {
	switch state {
	case string(plateau.StateRunning), stateInterrupted:
		return fmt.Sprintf("rank %d so far the one to use", rank)
	case string(plateau.StateStillImproving):
		return fmt.Sprintf("not settled: at least rank %d", rank)
	case string(plateau.StateInconclusive):
		return fmt.Sprintf("rank %d for now", rank)
	}
	return fmt.Sprintf("rank %d the one to use", rank)
}

// rows are the rungs and, as the last of them, the reference.
func (l ladderStatus) rows() []rungStatus {
	if len(l.Reference) == 0 {
		return l.Rungs
	}
	return append(slices.Clone(l.Rungs), rungStatus{Trials: l.Reference})
}

// name is the rank, or what a reference is called.
func (r rungStatus) name() string {
	if r.Rank == 0 {
		return "full"
	}
	return strconv.Itoa(r.Rank)
}

// coordinatorLine says who works on the sweep, or how to go on.
func coordinatorLine(s sweepStatus, shell prose.Shell, now time.Time) string {
	resume := shell.Command("resume", s.Sweep)
	if c := s.Coordinator; c.works() {
		line := fmt.Sprintf("coordinator: process %d on %s, last heard from %s ago\n", c.PID, c.Host, report.Duration(now.Sub(c.Heartbeat)))
		switch s.State {
		case progressPaused:
			line += fmt.Sprintf("nothing new starts until: %s\n", resume)
		case progressWaiting:
			line += waitLine(c.WaitsFor) + "\n"
		case progressRunning, progressFinished, progressCancelled, progressInterrupted:
		}
		return line
	}
	if s.State == progressFinished {
		return shell.Command("report", s.Sweep) + " prints what it found\n"
	}
	return fmt.Sprintf("no coordinator; continue with: %s\n", resume)
}

// waitLine says why nothing new starts.
func waitLine(why string) string {
	return printable("nothing new starts for now: " + strings.Join(strings.Fields(why), " "))
}

// inBrackets appends to a ladder's number what tells it apart in its grid: " (alpha=16 dropout=0.1)", or nothing.
func inBrackets(axes string) string {
	if axes == "" {
		return ""
	}
	return " (" + axes + ")"
}

// writeRungs prints the trials that were begun, and in one line the ranks where none was.
func writeRungs(w io.Writer, rungs []rungStatus) error {
	header := []string{"rank", "seed", "trial", "state", "step", "train_loss", "val_loss", "memory", "attempts"}
	var rows [][]string
	var pending []string
	tuned := false
	for _, r := range rungs {
		begun := false
		for _, t := range r.Trials {
			begun = begun || t.Attempts > 0
		}
		if !begun {
			pending = append(pending, r.name())
			continue
		}
		for _, t := range r.Trials {
			state := t.State
			if t.Retry {
				state = "to be trained again"
			}
			rows = append(rows, []string{
				r.name(), strconv.FormatInt(t.Seed, 10), string(t.ID), state, fmt.Sprintf("%d/%d", t.Step, t.Steps),
				formatMeasured(t.TrainLoss), formatMeasured(t.ValLoss), formatPeak(t.PeakHostBytes), strconv.Itoa(t.Attempts), t.Tuned,
			})
			tuned = tuned || t.Tuned != ""
		}
	}
	if tuned {
		header = append(header, "tuned")
	} else {
		for i := range rows {
			rows[i] = rows[i][:len(header)]
		}
	}
	if len(rows) > 0 {
		err := writeTable(w, header, rows, "attempts", "memory", "train_loss", "tuned", "step", "val_loss")
		if err != nil {
			return err
		}
	}
	if len(pending) > 0 {
		ranks := "rank"
		if len(pending) > 1 {
			ranks += "s"
		}
		fmt.Fprintf(w, "not begun: %s %s\n", ranks, strings.Join(pending, ", "))
	}
	return nil
}

// formatMeasured writes a loss, a norm or a share for people: four decimals, or four significant digits below 0.001; nothing for
// what is not known.
func formatMeasured(v *float64) string {
	switch {
	case v == nil:
		return ""
	case *v != 0 && math.Abs(*v) < 0.001:
		return strconv.FormatFloat(*v, 'g', 4, 64)
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}

func formatPeak(v *int64) string {
	if v == nil {
		return ""
	}
	return trial.FormatBytes(*v)
}

// statusRows has one row per trial, numbers in full.
func statusRows(s sweepStatus) (header []string, rows [][]string) {
	header = []string{
		"ladder", "cell", "rank", "seed", "trial", "state", "step", "steps", "train_loss", "val_loss", "peak_host_bytes", "attempts", "tuned",
	}
	for _, l := range s.Ladders {
		for _, r := range l.rows() {
			for _, t := range r.Trials {
				rows = append(rows, []string{
					strconv.Itoa(l.Number), l.Cell.Axes(), r.name(), strconv.FormatInt(t.Seed, 10),
					string(t.ID), t.State, strconv.Itoa(t.Step), strconv.Itoa(t.Steps), fullNumber(t.TrainLoss), fullNumber(t.ValLoss),
					fullCount(t.PeakHostBytes), strconv.Itoa(t.Attempts), t.Tuned,
				})
			}
		}
	}
	return header, rows
}

func fullCount(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}
