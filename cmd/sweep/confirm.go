package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
)

func newConfirmCommand(a *app) *cobra.Command {
	var maxSeeds int
	cmd := &cobra.Command{
		Use:   "confirm NAME",
		Short: "Train further seeds until a sweep's likely plateaus are certain, or cannot be made so",
		Long: `confirm records the wish for certainty and continues the sweep: where a plateau is only likely, the recommended rank and the
ranks that may still gain over it are trained with further seeds, all at once, the next integers after the grid's largest. Each
ladder is then certified, given a larger rank where the seeds show its gain, or left likely because --max-seeds seeds do not
decide it. Where the grid ended before patience ran out, seeds show how likely the plateau is, or a rank's gain, and none are
trained where every rank tried is certain already: a certain plateau takes larger ranks. Limits hold as before. It says which
ladders stay likely and why, and reports as 'sweep report' does.

An unfinished sweep climbs on first. After an interruption 'sweep resume' continues; confirming again what is settled only
prints the report, and confirming with more seeds trains those that are missing.`,
		Example: `  sweep confirm gpt2-notes
  sweep confirm gpt2-notes --max-seeds 9`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("max-seeds") && maxSeeds < 1 {
				return usagef("--max-seeds %d: want a number above the grid's seeds", maxSeeds)
			}
			return a.confirm(cmd.Context(), args[0], maxSeeds)
		},
	}
	cmd.Flags().IntVar(&maxSeeds, "max-seeds", 0,
		"most seeds per rank, those of the grid among them (default: the grid's max_seeds, else twice its seeds)")
	return cmd
}

// confirm works a sweep off with the wish that its likely plateaus be certified; maxSeeds 0 means the grid's.
func (a *app) confirm(ctx context.Context, name string, maxSeeds int) error {
	db, info, grid, err := a.registered(ctx, name)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // every write is committed by its own transaction
	seeds := len(info.Seeds)
	if maxSeeds == 0 {
		maxSeeds = grid.Rule().SeedLimit(seeds)
	}
	if maxSeeds <= seeds {
		return usagef("sweep %s has %s per rank already and may have %d: want --max-seeds %d or more", info.Name, plural(seeds, "seed"), maxSeeds,
			seeds+1)
	}
	info.Confirm(maxSeeds)
	return a.coordinate(ctx, db, info, grid)
}

// wishes reports whether info asks for more certainty than what is stored.
func wishes(info, stored sweep.Info) bool {
	return info.Rule.Confirm && (!stored.Rule.Confirm || stored.Rule.MaxSeeds < info.Rule.MaxSeeds)
}
