package main

import (
	"context"
	"fmt"
	"io"
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
begun, with its step, its latest losses and its memory. It reads only, and works while the sweep is running. A terminal that is too
narrow for the table loses columns: attempts first, then memory, train_loss, tuned, step and val_loss.`,
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
	progressWaiting     progressState = "waiting"     // a coordinator starts nothing new until the disk has room, and then goes on
	progressFinished    progressState = "finished"    // every ladder has a verdict
	progressPaused      progressState = "paused"      // nothing new starts; a coordinator may wait for sweep resume
	progressCancelled   progressState = "cancelled"   // stopped on request: sweep resume continues it
	progressInterrupted progressState = "interrupted" // none of these: sweep resume continues it
)

// What status calls ladders and trials that would be running if a coordinator held the sweep.
const (
	stateInterrupted = string(progressInterrupted)
	stateAbandoned   = "running without coordinator" // the trial's worker lives on
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
	Command   string     `json:"command"`  // as it was typed, without flags
	Terminal  string     `json:"terminal"` // that it was typed in; empty where there was none
	Started   time.Time  `json:"started"`
	Heartbeat time.Time  `json:"heartbeat"`
	Ended     *time.Time `json:"ended"` // nil while it runs, and after a crash
	Alive     bool       `json:"alive"`
	WaitsFor  string     `json:"waits_for,omitempty"` // why a sweep that is waiting starts nothing new
}

type ladderStatus struct {
	Number          int          `json:"number"` // from 1, as sweep explain takes it
	ID              int64        `json:"id"`     // in the database's views
	Cell            report.Cell  `json:"cell"`
	State           string       `json:"state" values:"plateau.State,interrupted"` // its verdict's, or interrupted
	RecommendedRank int          `json:"recommended_rank"`                         // 0 while no rung is complete
	Code            plateau.Code `json:"code"`                                     // of the reason
	Reason          string       `json:"reason"`
	Rungs           []rungStatus `json:"rungs"`
	Scouts          []rungStatus `json:"scouts,omitempty"` // trials that show every rank up to theirs

	Reference []trialStatus `json:"reference,omitempty"` // full fine-tuning
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
	State         string     `json:"state" values:"sweep.TrialState,interrupted,running without coordinator"`
	Step          int        `json:"step"`
	Steps         int        `json:"steps"`
	TrainLoss     *float64   `json:"train_loss"` // of the latest step
	ValLoss       *float64   `json:"val_loss"`   // of the best evaluation after step 0 so far
	Attempts      int        `json:"attempts"`
	PeakHostBytes *int64     `json:"peak_host_bytes"`
	LastHeard     *time.Time `json:"last_heard"`
	Error         string     `json:"error,omitempty"`
	Retry         bool       `json:"retry,omitempty"` // a person asked to train it again, which has not begun
}

func (a *app) status(ctx context.Context, name string) error {
	return inSweep(ctx, a.openReadOnly, name, func(db *store.DB, info sweep.Info) error {
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
		workers, err := a.look(openAttempts(snapshot))
		if err != nil {
			return err
		}
		s, err := newSweepStatus(ctx, db, snapshot, c, workers)
		if err != nil {
			return err
		}
		return a.emit("status", s, func(w io.Writer) error { return writeStatus(w, s, a.shell(), time.Now()) },
			func() ([]string, [][]string) { return statusRows(s) })
	})
}

func newSweepStatus(
	ctx context.Context, db *store.DB, snapshot sweep.Snapshot, c *coordinator, workers observer,
) (sweepStatus, error) {
	conclusions := sweep.Conclude(snapshot)
	s := sweepStatus{
		Sweep: snapshot.Sweep.Name, Strategy: snapshot.Sweep.Strategy,
		State:   progressOf(len(snapshot.Ladders) > 0 && conclusions.Done, c, snapshot.Sweep.Asked),
		Created: snapshot.Sweep.Created, ElapsedSeconds: snapshot.Sweep.Elapsed.Seconds(), Coordinator: c,
		Warnings: append([]string{}, snapshot.Sweep.Warnings...), Ladders: []ladderStatus{},
	}
	points, err := lastPoints(ctx, db, snapshot)
	if err != nil {
		return sweepStatus{}, err
	}
	for i, l := range snapshot.Ladders {
		ladder := newLadderStatus(l, conclusions.Verdicts[i], points)
		if !c.works() {
			if err := ladder.interrupt(ctx, l, workers); err != nil {
				return sweepStatus{}, err
			}
		}
		s.Ladders = append(s.Ladders, ladder)
	}
	return s, nil
}

func newLadderStatus(l sweep.Ladder, v plateau.Verdict, points map[trial.ID]store.PointRow) ladderStatus {
	ladder := ladderStatus{
		Number: l.Index + 1, ID: l.ID, Cell: report.Cell(l.Cell), State: string(v.State), RecommendedRank: v.RecommendedRank,
		Code: v.Reason.Code, Reason: prose.Reason(v),
	}
	for i := range l.Scouts {
		facts := &l.Scouts[i]
		scout := rungStatus{Rank: facts.Trial.Rank, Trials: []trialStatus{newTrialStatus(facts, points)}}
		if facts.State() == sweep.TrialDone {
			scout.Done = 1
		}
		ladder.Scouts = append(ladder.Scouts, scout)
	}
	for i := range l.Reference {
		facts := &l.Reference[i]
		t := newTrialStatus(facts, points)
		t.Tuned = fmt.Sprintf("learning_rate=%g", facts.Trial.Spec().Train.LearningRate)
		ladder.Reference = append(ladder.Reference, t)
	}
	for _, r := range l.Rungs {
		rung := rungStatus{Rank: r.Rank}
		for i := range r.Trials {
			facts := &r.Trials[i]
			t := newTrialStatus(facts, points)
			if facts.Candidate < len(l.Candidates) {
				t.Tuned = l.Candidates[facts.Candidate].String()
			}
			if facts.State() == sweep.TrialDone {
				rung.Done++
			}
			rung.Trials = append(rung.Trials, t)
		}
		ladder.Rungs = append(ladder.Rungs, rung)
	}
	return ladder
}

// interrupt corrects what is said to be running where no coordinator holds the sweep.
func (s *ladderStatus) interrupt(ctx context.Context, l sweep.Ladder, workers observer) error {
	if s.State == string(plateau.StateRunning) {
		s.State = stateInterrupted
	}
	for i := range l.Scouts {
		if l.Scouts[i].State() != sweep.TrialRunning {
			continue
		}
		var err error
		if s.Scouts[i].Trials[0].State, err = abandoned(ctx, workers, &l.Scouts[i]); err != nil {
			return err
		}
	}
	for i, r := range l.Rungs {
		if err := interruptTrials(ctx, s.Rungs[i].Trials, r.Trials, workers); err != nil {
			return err
		}
	}
	return interruptTrials(ctx, s.Reference, l.Reference, workers)
}

func interruptTrials(ctx context.Context, shown []trialStatus, trials []sweep.TrialFacts, workers observer) error {
	for i := range trials {
		facts := &trials[i]
		if facts.State() != sweep.TrialRunning {
			continue
		}
		var err error
		if shown[i].State, err = abandoned(ctx, workers, facts); err != nil {
			return err
		}
	}
	return nil
}

// abandoned is the state of a running trial where no coordinator holds the sweep: it is so only if its worker lives.
func abandoned(ctx context.Context, workers observer, facts *sweep.TrialFacts) (string, error) {
	process, err := workers.Probe(ctx, facts.Attempts[len(facts.Attempts)-1].ID)
	if process.Alive {
		return stateAbandoned, err
	}
	return stateInterrupted, err
}

// lastPoints returns the latest steps of the trials that began and are not over.
func lastPoints(ctx context.Context, db *store.DB, s sweep.Snapshot) (map[trial.ID]store.PointRow, error) {
	var open []trial.ID
	s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		if len(t.Attempts) > 0 && t.Final() == nil {
			open = append(open, t.Trial.ID)
		}
	})
	return db.LastPoints(ctx, open)
}

func newTrialStatus(facts *sweep.TrialFacts, points map[trial.ID]store.PointRow) trialStatus {
	t := trialStatus{
		ID: facts.Trial.ID, Seed: facts.Trial.Seed, State: string(facts.State()), Step: facts.LastStep,
		Steps: facts.Trial.Spec().TotalSteps(), Attempts: len(facts.Attempts), PeakHostBytes: facts.Memory.PeakHostBytes,
	}
	if len(facts.Attempts) == 0 {
		return t
	}
	if t.Retry = facts.AskedAgain(); t.Retry { // what it measured before counts no more
		t.Step, t.PeakHostBytes = max(0, facts.Checkpoint()), nil
		return t
	}
	last := &facts.Attempts[len(facts.Attempts)-1]
	if !last.LastAt.IsZero() {
		t.LastHeard = &last.LastAt
	}
	if last.Outcome != nil {
		t.Error = last.Outcome.Error
	}
	for i := range facts.Evaluations {
		if e := &facts.Evaluations[i]; e.Step > 0 && (t.ValLoss == nil || e.ValLoss < *t.ValLoss) {
			t.ValLoss = &e.ValLoss
		}
	}
	if o := facts.Final(); o != nil {
		t.TrainLoss = o.TrainLoss
	} else if point, ok := points[t.ID]; ok {
		t.TrainLoss = &point.TrainLoss
	}
	return t
}

// works reports whether the process lives.
func (c *coordinator) works() bool { return c != nil && c.Alive }

// progressOf derives a sweep's state. A sweep that was never registered has no ladders yet and is not finished.
func progressOf(finished bool, c *coordinator, asked sweep.Asked) progressState {
	switch {
	case c.works() && !asked.Paused && c.WaitsFor != "":
		return progressWaiting
	case c.works() && !asked.Paused:
		return progressRunning
	case finished && !c.works():
		return progressFinished
	case asked.Paused:
		return progressPaused
	case asked.Cancelled:
		return progressCancelled
	}
	return progressInterrupted
}

// newCoordinator tells whether a session's process lives: on this host the sweep's file lock knows, of another host only the
// age of the heartbeat can tell.
func newCoordinator(db *store.DB, sweepID int64, s *store.Session, now time.Time) (*coordinator, error) {
	if s == nil {
		return nil, nil
	}
	c := &coordinator{Host: s.Host, PID: s.PID, Command: s.Command, Terminal: s.Terminal, Started: s.Started, Heartbeat: s.Heartbeat}
	if !s.Ended.IsZero() {
		c.Ended = &s.Ended
		return c, nil
	}
	here, err := store.ThisProcess("")
	if err != nil {
		return nil, err
	}
	if !s.OnMachine(here) {
		c.Alive = now.Before(s.Heartbeat.Add(store.LeaseTime))
	} else if c.Alive, err = db.Coordinated(sweepID); err != nil {
		return nil, err
	}
	if c.Alive {
		c.WaitsFor = s.Waits
	}
	return c, nil
}
