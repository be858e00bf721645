package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newRetryCommand(a *app) *cobra.Command {
	var failed bool
	var in string
	cmd := &cobra.Command{
		Use:   "retry [TRIAL] [--failed [NAME]]",
		Short: "Give trials that ended without a loss fresh attempts",
		Long: `retry forgives what became of a trial: it is tried again, from its last checkpoint where there is one, as if nothing had gone
wrong yet. A trial whose worker was killed again and again is not lost for good because its machine was short of memory or disk.

TRIAL is the beginning of a trial's id, as 'sweep status' prints it; --failed takes every trial of a sweep (the latest without
NAME) that failed or met a limit. A loss that was not finite would come again, so such a trial is retried only where it is named.

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
		var ids []trial.ID
		unstable := 0
		s.snapshot.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
			if t.Retryable() && !slices.Contains(ids, t.Trial.ID) {
				ids = append(ids, t.Trial.ID)
			}
			if t.State() == sweep.TrialUnstable {
				unstable++
			}
		})
		if unstable > 0 {
			a.say("%s with a loss that was not finite left out: it would come again (%s takes one)", plural(unstable, "trial"),
				a.commandOn("retry", "TRIAL"))
		}
		if len(ids) == 0 {
			a.say("no trial of sweep %s failed or met a limit; there is nothing to retry", s.name())
			return nil
		}
		return a.retry(ctx, s, ids)
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
		state, err := a.retryIn(ctx, p.Sweep, id)
		if err != nil || state.Lost() {
			return err
		}
		if text := fmt.Sprintf("%s in sweep %s", state, p.Sweep); !slices.Contains(states, text) {
			states = append(states, text)
		}
	}
	if len(states) == 0 {
		return notFound(fmt.Errorf("trial %s: %w in sweep %s", id, sweep.ErrNotFound, name))
	}
	return usagef("trial %s is %s; only trials that ended without a loss are retried", id, strings.Join(states, ", "))
}

// retryIn retries the trial in a sweep where it is lost, and returns its state there.
func (a *app) retryIn(ctx context.Context, name string, id trial.ID) (state sweep.TrialState, err error) {
	err = a.asking(ctx, name, func(s subject) error {
		s.snapshot.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
			if t.Trial.ID == id {
				state = t.State()
			}
		})
		if !state.Lost() {
			return nil
		}
		return a.retry(ctx, s, []trial.ID{id})
	})
	return state, err
}

// retry appends the request and says who takes it up.
func (a *app) retry(ctx context.Context, s subject, ids []trial.ID) error {
	if err := s.db.Retry(ctx, s.snapshot.Sweep.ID, ids, time.Now().UTC()); err != nil {
		return notFound(err)
	}
	a.keepAsked(ctx, s.db, s.snapshot.Sweep.ID)
	next := "the coordinator takes it up"
	if !s.worked {
		next = "continue with: " + a.resumeCommand(s.name())
	}
	a.say("%s of sweep %s will be tried again; %s", plural(len(ids), "trial"), s.name(), next)
	return nil
}
