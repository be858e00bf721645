package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

// candidates lists what a word may become: of the sweep of that name, or of the latest, where sweeps differ in it.
type candidates func(ctx context.Context, db *store.DB, sweep string) ([]cobra.Completion, error)

// fromDatabase completes what the database of --root holds. It only reads, and says nothing where there is none.
func (a *app) fromDatabase(list candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
		all, err := a.readCandidates(cmd, args, list)
		if err != nil {
			cobra.CompDebugln(err.Error(), false)
		}
		return beginning(all, start), cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) readCandidates(cmd *cobra.Command, args []string, list candidates) (all []cobra.Completion, err error) {
	// The settings were resolved before the flags of the line were read.
	if err := cmd.Root().PersistentPreRunE(cmd, args); err != nil {
		return nil, err
	}
	db, err := a.openReadOnly(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return list(cmd.Context(), db, sweepOnLine(cmd, args))
}

// sweepOnLine is the sweep that a command line names already; empty for the latest.
func sweepOnLine(cmd *cobra.Command, args []string) string {
	if f := cmd.Flags().Lookup("sweep"); f != nil {
		return f.Value.String()
	}
	if len(args) > 0 && slices.Contains(argumentWords(cmd.Use), "NAME") {
		return args[0]
	}
	return ""
}

func sweepNames(ctx context.Context, db *store.DB, _ string) ([]cobra.Completion, error) {
	names, err := db.Names(ctx)
	slices.Reverse(names) // the latest first
	return names, err
}

func trialIDs(ctx context.Context, db *store.DB, _ string) ([]cobra.Completion, error) {
	trials, err := db.Trials(ctx)
	var all []cobra.Completion
	for _, t := range trials {
		rank := "full fine-tuning"
		if t.Rank > 0 {
			rank = "rank " + strconv.Itoa(t.Rank)
		}
		all = append(all, cobra.CompletionWithDesc(string(t.ID), fmt.Sprintf("%s: %s, seed %d", t.Sweep, rank, t.Seed)))
	}
	return all, err
}

func ladderNumbers(ctx context.Context, db *store.DB, name string) ([]cobra.Completion, error) {
	ladders, err := laddersOf(ctx, db, name)
	var all []cobra.Completion
	for _, l := range ladders {
		all = append(all, cobra.CompletionWithDesc(strconv.Itoa(l.Index+1), l.Cell.Axes().String()))
	}
	return all, err
}

// cellSettings are the axes' values as export --cell takes them.
func cellSettings(ctx context.Context, db *store.DB, name string) ([]cobra.Completion, error) {
	ladders, err := laddersOf(ctx, db, name)
	var all []cobra.Completion
	for _, l := range ladders {
		for _, s := range l.Cell.Axes() {
			if setting := s.Name + "=" + s.Value; !slices.Contains(all, setting) {
				all = append(all, setting)
			}
		}
	}
	return all, err
}

func rungRanks(ctx context.Context, db *store.DB, name string) ([]cobra.Completion, error) {
	var ranks []int
	ladders, err := laddersOf(ctx, db, name)
	for _, l := range ladders {
		for _, r := range l.Rungs {
			ranks = append(ranks, r.Rank)
		}
	}
	slices.Sort(ranks)
	var all []cobra.Completion
	for _, rank := range slices.Compact(ranks) {
		all = append(all, strconv.Itoa(rank))
	}
	return all, err
}

func rungSeeds(ctx context.Context, db *store.DB, name string) ([]cobra.Completion, error) {
	var seeds []int64
	ladders, err := laddersOf(ctx, db, name)
	for _, l := range ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				seeds = append(seeds, t.Trial.Seed)
			}
		}
	}
	slices.Sort(seeds)
	var all []cobra.Completion
	for _, seed := range slices.Compact(seeds) {
		all = append(all, strconv.FormatInt(seed, 10))
	}
	return all, err
}

func laddersOf(ctx context.Context, db *store.DB, name string) ([]sweep.Ladder, error) {
	info, err := findSweep(ctx, db, name)
	if err != nil {
		return nil, err
	}
	s, err := db.Snapshot(ctx, info.ID)
	return s.Ladders, err
}
