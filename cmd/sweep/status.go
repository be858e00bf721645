package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show how far a sweep is (the latest without NAME)",
		Long: `status prints whether a coordinator works on the sweep, every ladder with what it says so far, and every trial that was
begun, with its step, its latest losses and its memory. It reads only, and works while the sweep is running.`,
		Example: `  sweep status
  sweep status gpt2-notes -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.status(cmd.Context(), strings.Join(args, "")) },
	}
}

// progressState says what becomes of a sweep at the moment.
type progressState string

const (
	progressRunning     progressState = "running"     // a coordinator works on it
	progressFinished    progressState = "finished"    // every ladder has a verdict
	progressInterrupted progressState = "interrupted" // neither: sweep resume continues it
)

// sweepStatus is what status prints.
type sweepStatus struct {
	Sweep          string         `json:"sweep"`
	State          progressState  `json:"state"`
	Strategy       sweep.Strategy `json:"strategy"`
	Created        time.Time      `json:"created"`
	ElapsedSeconds float64        `json:"elapsed_seconds"`
	Coordinator    *coordinator   `json:"coordinator"`
	Warnings       []string       `json:"warnings"`
	Ladders        []ladderStatus `json:"ladders"`
}

// coordinator is the process that works on a sweep, or was the last to.
type coordinator struct {
	Host      string     `json:"host"`
	PID       int        `json:"pid"`
	Started   time.Time  `json:"started"`
	Heartbeat time.Time  `json:"heartbeat"`
	Ended     *time.Time `json:"ended"` // nil while it runs, and after a crash
	Alive     bool       `json:"alive"`
}

type ladderStatus struct {
	Number          int           `json:"number"` // from 1, as sweep explain takes it
	ID              int64         `json:"id"`     // in the database's views
	Cell            report.Cell   `json:"cell"`
	State           plateau.State `json:"state"`
	RecommendedRank int           `json:"recommended_rank"` // 0 while no rung is complete
	Reason          string        `json:"reason"`
	Rungs           []rungStatus  `json:"rungs"`
}

type rungStatus struct {
	Rank   int           `json:"rank"`
	Done   int           `json:"done"`
	Trials []trialStatus `json:"trials"`
}

type trialStatus struct {
	ID            trial.ID   `json:"id"`
	Seed          int64      `json:"seed"`
	Tuned         string     `json:"tuned,omitempty"` // the candidate's values of tuned axes: learning_rate=0.001
	State         string     `json:"state"`
	Step          int        `json:"step"`
	Steps         int        `json:"steps"`
	TrainLoss     *float64   `json:"train_loss"` // of the latest step
	ValLoss       *float64   `json:"val_loss"`   // of the best evaluation after step 0 so far
	Attempts      int        `json:"attempts"`
	PeakHostBytes *int64     `json:"peak_host_bytes"`
	LastHeard     *time.Time `json:"last_heard"`
	Error         string     `json:"error,omitempty"`
}

func (a *app) status(ctx context.Context, name string) (err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := db.Find(ctx, name)
	if err != nil {
		return notFound(err)
	}
	snapshot, err := db.Snapshot(ctx, info.ID)
	if err != nil {
		return err
	}
	holder, err := db.Holder(ctx, info.ID)
	if err != nil {
		return err
	}
	c, err := newCoordinator(db, info.ID, holder, time.Now())
	if err != nil {
		return err
	}
	s, err := newSweepStatus(ctx, db, snapshot, c, a.root)
	if err != nil {
		return err
	}
	return a.emit("status", s, func(w io.Writer) error { return writeStatus(w, s, a.resumeCommand(s.Sweep), time.Now()) },
		func() ([]string, [][]string) { return statusRows(s) })
}

func newSweepStatus(ctx context.Context, db *store.DB, snapshot sweep.Snapshot, c *coordinator, root string) (sweepStatus, error) {
	d := sweep.Decide(snapshot, nil, sweep.Capacity{Jobs: 1})
	s := sweepStatus{
		Sweep: snapshot.Sweep.Name, State: progressOf(snapshot, d, c), Strategy: snapshot.Sweep.Strategy, Created: snapshot.Sweep.Created,
		ElapsedSeconds: snapshot.Sweep.Elapsed.Seconds(), Coordinator: c,
		Warnings: append([]string{}, snapshot.Sweep.Warnings...), Ladders: []ladderStatus{},
	}
	for i, l := range snapshot.Ladders {
		v := d.Verdicts[i]
		ladder := ladderStatus{
			Number: l.Index + 1, ID: l.ID, Cell: report.Cell(l.Cell), State: v.State, RecommendedRank: v.RecommendedRank, Reason: prose.Reason(v),
		}
		if s.State == progressInterrupted && v.State == plateau.StateRunning {
			ladder.State = plateau.State(progressInterrupted)
		}
		for _, r := range l.Rungs {
			rung := rungStatus{Rank: r.Rank}
			for _, facts := range r.Trials {
				t, err := newTrialStatus(ctx, db, facts)
				if err != nil {
					return sweepStatus{}, err
				}
				if facts.Candidate < len(l.Candidates) {
					t.Tuned = l.Candidates[facts.Candidate].String()
				}
				if s.State == progressInterrupted {
					if t.State, err = abandoned(t.State, facts, root); err != nil {
						return sweepStatus{}, err
					}
				}
				if t.State == string(trial.OutcomeDone) {
					rung.Done++
				}
				rung.Trials = append(rung.Trials, t)
			}
			ladder.Rungs = append(ladder.Rungs, rung)
		}
		s.Ladders = append(s.Ladders, ladder)
	}
	return s, nil
}

// abandoned is a trial's state where no coordinator holds the sweep: what was running is so only if its worker lives.
func abandoned(state string, facts sweep.TrialFacts, root string) (string, error) {
	if state != "running" {
		return state, nil
	}
	alive, err := trial.WorkerAlive(facts.Attempts[len(facts.Attempts)-1].ID.Dir(root))
	if alive {
		return "running without coordinator", err
	}
	return string(progressInterrupted), err
}

func newTrialStatus(ctx context.Context, db *store.DB, facts sweep.TrialFacts) (trialStatus, error) {
	t := trialStatus{
		ID: facts.Trial.ID, Seed: facts.Trial.Spec.Seed, State: report.TrialState(facts), Step: facts.LastStep,
		Steps: facts.Trial.Spec.Train.Steps, Attempts: len(facts.Attempts), PeakHostBytes: facts.Memory.PeakHostBytes,
	}
	if len(facts.Attempts) == 0 {
		return t, nil
	}
	last := facts.Attempts[len(facts.Attempts)-1]
	if !last.LastAt.IsZero() {
		t.LastHeard = &last.LastAt
	}
	if last.Outcome != nil {
		t.Error = last.Outcome.Error
	}
	for _, e := range facts.Evaluations {
		if e.Step > 0 && (t.ValLoss == nil || e.ValLoss < *t.ValLoss) {
			t.ValLoss = &e.ValLoss
		}
	}
	if o := facts.Final(); o != nil {
		t.TrainLoss = o.TrainLoss
		return t, nil
	}
	point, err := db.LastPoint(ctx, t.ID)
	if err == nil && point != nil {
		t.TrainLoss = &point.TrainLoss
	}
	return t, err
}

// progressOf derives a sweep's state. A sweep that was never registered has no ladders yet and is not finished.
func progressOf(s sweep.Snapshot, d sweep.Decision, c *coordinator) progressState {
	switch {
	case c != nil && c.Alive:
		return progressRunning
	case len(s.Ladders) > 0 && d.Done:
		return progressFinished
	}
	return progressInterrupted
}

// newCoordinator tells whether a session's process lives: on this host the sweep's file lock knows, of another host only the
// age of the heartbeat can tell.
func newCoordinator(db *store.DB, sweepID int64, s *store.Session, now time.Time) (*coordinator, error) {
	if s == nil {
		return nil, nil
	}
	c := &coordinator{Host: s.Host, PID: s.PID, Started: s.Started, Heartbeat: s.Heartbeat}
	if !s.Ended.IsZero() {
		c.Ended = &s.Ended
		return c, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	if host != s.Host {
		c.Alive = now.Before(s.Heartbeat.Add(store.LeaseTime))
		return c, nil
	}
	c.Alive, err = db.Coordinated(sweepID)
	return c, err
}
