package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

func newRetryCommand(a *app) *cobra.Command {
	var failed bool
	var in string
	cmd := &cobra.Command{
		Use:   "retry [TRIAL] [--failed [NAME]]",
		Short: "Try trials again that ended without a loss, or one that lost its adapter",
		Long: `retry forgives what became of a trial: it is tried again, from its last checkpoint where there is one, as if nothing had gone
wrong yet. A trial whose worker was killed again and again is not lost for good because its machine was short of memory or disk.

TRIAL is the beginning of a trial's id, as 'sweep status' prints it; --failed takes every trial of a sweep (the latest without
NAME) that failed or met a limit. A loss that was not finite would come again, so such a trial is retried only where it is named.

A trial that is named and waits out a rest after a fault of the machine starts at once. One that is done is trained again where its
adapter is damaged or gone, from a checkpoint if one is left. Until then its loss does not count in that sweep, and its verdict
waits; should it fail or meet a limit this time, the loss of before counts again.

A coordinator that works on the sweep takes them up by itself; else 'sweep resume' does.`,
		Example: `  sweep retry --failed
  sweep retry --failed gpt2-notes
  sweep retry 4f2a
  sweep retry 4f2a --sweep gpt2-notes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := strings.Join(args, "")
			switch {
			case failed && arg != "" && in != "":
				return usagef("--failed %s --sweep %s: name the sweep once", arg, in)
			case failed:
				return a.retryFailed(cmd.Context(), arg+in)
			case arg == "":
				return usagef("name a TRIAL, or take all of a sweep with --failed")
			}
			return a.retryTrial(cmd.Context(), arg, in)
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "every trial of the sweep that failed or met a limit")
	cmd.Flags().StringVar(&in, "sweep", "", "in this sweep (default: the newest that holds TRIAL; with --failed the latest)")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) > 0:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case failed:
			return a.fromDatabase(sweepNames)(cmd, args, start)
		}
		return a.fromDatabase(trialIDs)(cmd, args, start)
	}
	return cmd
}

func (a *app) retryFailed(ctx context.Context, name string) error {
	return a.asking(ctx, name, func(s subject) error {
		var failed []*sweep.TrialFacts
		known, unstable := map[trial.ID]bool{}, 0
		s.snapshot.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
			if t.Retryable() && !known[t.Trial.ID] {
				known[t.Trial.ID] = true
				failed = append(failed, t)
			}
			if t.State() == sweep.TrialUnstable {
				unstable++
			}
		})
		if unstable > 0 {
			a.say("%s with a loss that was not finite left out: it would come again (%s takes one)", plural(unstable, "trial"),
				a.commandOn("retry", "TRIAL"))
		}
		if len(failed) == 0 {
			a.say("no trial of sweep %s failed or met a limit; there is nothing to retry", s.name())
			return nil
		}
		return a.retry(ctx, s, failed...)
	})
}

func (a *app) retryTrial(ctx context.Context, prefix, name string) error {
	record, err := readTrial(ctx, a, prefix, func(*store.DB, store.TrialRecord) error { return nil })
	if err != nil {
		return err
	}
	id := record.Trial.ID
	var states []string
	for _, p := range slices.Backward(record.Places) {
		if name != "" && p.Sweep != name {
			continue
		}
		state, asked, err := a.retryIn(ctx, p.Sweep, id)
		if err != nil || asked {
			return err
		}
		if text := fmt.Sprintf("%s in sweep %s", state, p.Sweep); !slices.Contains(states, text) {
			states = append(states, text)
		}
	}
	if len(states) == 0 {
		return notFound(fmt.Errorf("trial %s: %w in sweep %s", id, sweep.ErrNotFound, name))
	}
	return usagef("trial %s is %s: retry takes trials that ended without a loss, that wait out a rest, or whose adapter is damaged or gone",
		id, strings.Join(states, ", "))
}

// retryIn retries the trial in a sweep where there is reason to, and returns its state there.
func (a *app) retryIn(ctx context.Context, name string, id trial.ID) (state string, asked bool, err error) {
	err = a.asking(ctx, name, func(s subject) error {
		facts := s.trial(id)
		now := facts.State()
		state = string(now)
		switch {
		case now.Lost(), now == sweep.TrialCrashed:
			asked = true
			return a.retry(ctx, s, facts)
		case now == sweep.TrialDone:
			why, damaged, err := a.brokenAdapter(facts)
			if asked = why != ""; err != nil || !asked {
				return err
			}
			a.say("trial %s is done, and %s: its loss does not count until it has been trained again", id, why)
			return a.retryDone(ctx, s, facts, damaged)
		case facts.AskedAgain():
			state = "to be tried again already"
		case now == sweep.TrialInterrupted && !s.worked:
			return usagef("trial %s is interrupted in sweep %s, which goes on from its checkpoint with: %s", id, name, a.resumeCommand(name))
		}
		return nil
	})
	return state, asked, err
}

// trial returns the facts of one of the sweep's trials.
func (s subject) trial(id trial.ID) (facts *sweep.TrialFacts) {
	s.snapshot.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		if t.Trial.ID == id {
			facts = t
		}
	})
	return facts
}

// brokenAdapter says what is wrong with the adapters of a done trial, and which of their folders are damaged; "" where nothing is.
func (a *app) brokenAdapter(t *sweep.TrialFacts) (why string, damaged []string, err error) {
	best, err := a.adapterFolder(*t, false)
	if exitCode(err) == exitNotFound {
		return "its adapter is gone", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	for _, name := range []string{trainer.AdapterFolder, trainer.LastAdapterFolder} {
		dir := filepath.Join(filepath.Dir(best), name)
		switch err := weights.CheckSeal(dir); {
		case errors.Is(err, trial.ErrDamaged):
			why, damaged = "its adapter is damaged", append(damaged, dir)
		case err != nil:
			return "", nil, err
		}
	}
	return why, damaged, nil
}

// retryDone has a trial trained again although it has a loss, where a ladder waits for it. What is damaged of its adapters goes aside:
// nothing is to take it for good.
func (a *app) retryDone(ctx context.Context, s subject, t *sweep.TrialFacts, damaged []string) error {
	s.snapshot.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
		if f.Trial.ID == t.Trial.ID {
			f.Retried = f.Attempts[len(f.Attempts)-1].Number
		}
	})
	if s.snapshot.Reopen(); s.finished() {
		return usagef("sweep %s would not train trial %s again: none of its ladders waits for it, or a limit of the sweep is spent "+
			"(%s raises it)", s.name(), t.Trial.ID, a.commandOn("extend", "GRID.yaml"))
	}
	for _, dir := range damaged {
		if _, err := trial.MoveAside(dir); err != nil {
			return err
		}
	}
	return a.retry(ctx, s, t)
}

// retry appends the request and says who takes it up.
func (a *app) retry(ctx context.Context, s subject, trials ...*sweep.TrialFacts) error {
	var last []trial.AttemptID
	limited, limits := 0, s.snapshot.Sweep.Limits
	for _, t := range trials {
		last = append(last, t.Attempts[len(t.Attempts)-1].ID)
		if state := t.State(); state == sweep.TrialOverTime || state == sweep.TrialOverMemory && limits.Memory > 0 {
			limited++
		}
	}
	if err := s.db.Retry(ctx, s.snapshot.Sweep.ID, last, time.Now().UTC()); err != nil {
		return notFound(err)
	}
	a.keepAsked(ctx, s.db, s.snapshot.Sweep.ID)
	next := "the coordinator takes it up"
	if !s.worked {
		next = "continue with: " + a.resumeCommand(s.name())
	}
	if limited > 0 {
		a.say("%s met a limit, which stands until the grid raises it: %s", plural(limited, "trial"), a.shellOf(s.snapshot.Sweep).Extend())
	}
	a.say("%s of sweep %s will be tried again; %s", plural(len(trials), "trial"), s.name(), next)
	return nil
}
