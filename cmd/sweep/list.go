package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
)

func newListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the sweeps in the root",
		Long: `list prints one line per sweep, the oldest first: whether a coordinator works on it, how many of its trials are done, how many
failed for good (a rank that lacks one has its run exit with 3), how many ended without a loss otherwise (unstable, or over a limit)
and, of a finished one, how many were not needed, how long its coordinators have worked, and what its ladders say. A terminal that is
too narrow for the table loses columns: no_loss first, then created, unneeded, ladders, failed, elapsed, trials and done.`,
		Example: `  sweep list
  sweep list -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context()) },
	}
}

// sweepList is the result of sweep list.
type sweepList struct {
	Sweeps []listed `json:"sweeps"`
}

// listed is one sweep as list prints it.
type listed struct {
	Name           string          `json:"name"`
	State          progressState   `json:"state"`
	Created        time.Time       `json:"created"`
	GridPath       string          `json:"grid_path"`
	Ladders        int             `json:"ladders"`
	Trials         int             `json:"trials"` // planned
	Done           int             `json:"done"`
	Failed         int             `json:"failed"`  // for good; where a rank lacks one of the grid's, the sweep's exit code is 3
	NoLoss         int             `json:"no_loss"` // ended without a loss otherwise: unstable, over a limit
	Open           int             `json:"open"`
	Unneeded       int             `json:"unneeded"` // planned and, once the sweep is finished, not needed for any verdict
	ElapsedSeconds float64         `json:"elapsed_seconds"`
	Verdicts       []plateau.State `json:"verdicts"` // per ladder
	Coordinator    *coordinator    `json:"coordinator"`
}

func (a *app) list(ctx context.Context) (err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sweeps, err := listSweeps(ctx, db)
	if err != nil {
		return err
	}
	return a.emit("list", sweepList{sweeps}, func(w io.Writer) error {
		return writeTable(w, listHeader(), listRows(sweeps),
			"no_loss", "created", "unneeded", "ladders", "failed", "elapsed", "trials", "done")
	},
		func() ([]string, [][]string) { return listHeader(), listRows(sweeps) })
}

// listSweeps reads what list prints.
func listSweeps(ctx context.Context, db *store.DB) ([]listed, error) {
	summaries, err := db.List(ctx)
	if err != nil {
		return nil, err
	}
	sweeps := make([]listed, 0, len(summaries))
	for _, s := range summaries {
		c, err := newCoordinator(db, s.ID, s.Holder, time.Now())
		if err != nil {
			return nil, err
		}
		l := newListed(s, c)
		// Nobody works on it and a ladder lacks a verdict or a reference: its coordinator died before it recorded one, the rule has
		// changed, or the reference is not to be trained.
		if !c.works() && l.State != progressFinished {
			snapshot, err := db.Snapshot(ctx, s.ID)
			if err != nil {
				return nil, err
			}
			l.conclude(sweep.Conclude(snapshot), s.Asked)
		}
		if l.State == progressFinished {
			l.Unneeded = l.Trials - l.Done - l.Failed - l.NoLoss
		}
		sweeps = append(sweeps, l)
	}
	return sweeps, nil
}

func newListed(s store.Summary, c *coordinator) listed {
	l := listed{
		Name: s.Name, Created: s.Created, GridPath: s.GridPath, Ladders: s.Ladders, Trials: s.Trials,
		Done: s.Done, Failed: s.Failed, NoLoss: s.NoLoss, Open: s.Open, ElapsedSeconds: s.Elapsed.Seconds(),
		Verdicts: append([]plateau.State{}, s.Verdicts...), Coordinator: c,
	}
	l.State = progressOf(s.Ladders > 0 && !slices.Contains(s.Verdicts, plateau.StateRunning) && s.Reference == 0, c, s.Asked)
	return l
}

// conclude takes what the facts of a sweep say in place of what is recorded.
func (l *listed) conclude(c sweep.Conclusions, asked sweep.Asked) {
	l.Verdicts = []plateau.State{}
	for _, v := range c.Verdicts {
		l.Verdicts = append(l.Verdicts, v.State)
	}
	l.State = progressOf(len(c.Verdicts) > 0 && c.Done, nil, asked)
}

func listHeader() []string {
	return []string{"sweep", "state", "created", "ladders", "trials", "done", "failed", "no_loss", "unneeded", "elapsed", "verdicts"}
}

func listRows(sweeps []listed) [][]string {
	var rows [][]string
	for _, s := range sweeps {
		rows = append(rows, []string{
			s.Name, string(s.State), s.Created.Format(time.RFC3339), strconv.Itoa(s.Ladders), strconv.Itoa(s.Trials),
			strconv.Itoa(s.Done), strconv.Itoa(s.Failed), strconv.Itoa(s.NoLoss), strconv.Itoa(s.Unneeded), report.Seconds(s.ElapsedSeconds),
			countStates(s.states()),
		})
	}
	return rows
}

// states are the verdicts for people: a ladder without one is interrupted where nobody works on it.
func (l listed) states() (states []string) {
	for _, v := range l.Verdicts {
		state := string(v)
		if v == plateau.StateRunning && !l.Coordinator.works() {
			state = stateInterrupted
		}
		states = append(states, state)
	}
	return states
}

// countStates writes verdicts as "2 plateau, 1 running", in the order in which they first appear.
func countStates(states []string) string {
	counts := map[string]int{}
	var order []string
	for _, s := range states {
		if counts[s] == 0 {
			order = append(order, s)
		}
		counts[s]++
	}
	var parts []string
	for _, s := range order {
		parts = append(parts, strconv.Itoa(counts[s])+" "+s)
	}
	return strings.Join(parts, ", ")
}
