package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// scoutSuffix tells a scout from the sweep of the same grid.
const scoutSuffix = "-scout"

func newScoutCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "scout GRID.yaml",
		Short: "Estimate a grid's whole curve of loss over rank from one trial",
		Long: `scout trains one trial of each cell, of the largest rank that fits and the grid's first seed, and reads the loss at every
rank of the ladder off it: the trained adapter is cut down to each lower rank and trained on for a tenth of the steps.

The curve is an estimate, with the largest error that was measured on other ladders ('sweep help scout'), or what was
observed at ranks of this grid that were trained too. It shows where to look; 'strategy: scout' in the grid then trains
what a verdict needs, and uses this trial again.

The trial is kept as a sweep named after the grid, NAME-scout: 'sweep status', 'show' and 'resume' work on it. A finished
one prints its curve again, with what other sweeps have trained since.`,
		Example: `  sweep scout grid.yaml
  sweep scout grid.yaml -o json | jq .recommendation.recommended_rank`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runAs(cmd.Context(), args[0], func(g grid.Grid, info *sweep.Info) error {
				info.Name, info.Strategy = info.Name+scoutSuffix, sweep.StrategyCurve
				return g.Allows(sweep.StrategyScout)
			})
		},
	}
}

// scoutView is what scout prints.
type scoutView struct {
	Sweep           string              `json:"sweep"`
	Recommendation  scoutRecommendation `json:"recommendation"`
	Curve           []scoutPoint        `json:"curve"` // of the recommended ladder
	Steps           int                 `json:"steps"` // optimiser steps of all scouts
	StepsExhaustive int                 `json:"steps_exhaustive"`
	AllTrained      bool                `json:"all_trained"` // every rank with every seed, by other sweeps: a verdict costs nothing
	Ladders         []scoutLadder       `json:"ladders"`
	Warnings        []string            `json:"warnings"`
}

type scoutRecommendation struct {
	Estimate        bool        `json:"estimate"` // always: no rank was trained by itself
	Ladder          int         `json:"ladder"`
	Cell            report.Cell `json:"cell"`
	RecommendedRank int         `json:"recommended_rank"` // 0 where no ladder could be scouted
	MinGain         float64     `json:"min_gain"`
}

type scoutLadder struct {
	Ladder          int           `json:"ladder"`
	Cell            report.Cell   `json:"cell"`
	State           plateau.State `json:"state"`
	RecommendedRank int           `json:"recommended_rank"`
	MinGain         float64       `json:"min_gain"`
	Reason          string        `json:"reason"`
	Steps           int           `json:"steps"`
	Curve           []scoutPoint  `json:"curve"`
}

// scoutPoint is what a scout says of a rank.
type scoutPoint struct {
	Rank    int     `json:"rank"`
	ValLoss float64 `json:"val_loss"`
	// Error is how far training at the rank may lie from it: what was seen where it was trained, else the largest measured elsewhere.
	Error      float64  `json:"error"`
	Trained    *float64 `json:"trained_val_loss"` // of the same seed; nil where it was not trained
	Difference *float64 `json:"difference"`       // ValLoss less Trained
}

// newScoutView computes the view; it is pure.
func newScoutView(s sweep.Snapshot, verdicts []plateau.Verdict) scoutView {
	v := scoutView{
		Sweep: s.Sweep.Name, Curve: []scoutPoint{}, Ladders: []scoutLadder{}, Warnings: nonNil(s.Sweep.Warnings),
		Recommendation: scoutRecommendation{Estimate: true, Cell: report.Cell{}}, AllTrained: len(s.Ladders) > 0,
	}
	lowest := 0.0
	for i, l := range s.Ladders {
		ladder := newScoutLadder(l, verdicts[i])
		v.Ladders = append(v.Ladders, ladder)
		v.Steps += ladder.Steps
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				v.StepsExhaustive += t.Trial.Spec().Train.Steps
				v.AllTrained = v.AllTrained && t.State() == sweep.TrialDone
			}
		}
		at := slices.IndexFunc(ladder.Curve, func(p scoutPoint) bool { return p.Rank == ladder.RecommendedRank })
		if at < 0 || len(v.Curve) > 0 && ladder.Curve[at].ValLoss >= lowest {
			continue
		}
		lowest, v.Curve = ladder.Curve[at].ValLoss, ladder.Curve
		v.Recommendation = scoutRecommendation{
			Estimate: true, Ladder: ladder.Ladder, Cell: ladder.Cell, RecommendedRank: ladder.RecommendedRank, MinGain: ladder.MinGain,
		}
	}
	return v
}

func newScoutLadder(l sweep.Ladder, v plateau.Verdict) scoutLadder {
	out := scoutLadder{
		Ladder: l.Index + 1, Cell: report.Cell(l.Cell), State: v.State, RecommendedRank: v.RecommendedRank, MinGain: v.MinGain,
		Reason: prose.Reason(v), Curve: []scoutPoint{},
	}
	for _, t := range l.Scouts {
		out.Steps += t.LastStep
	}
	if v.Screening == nil {
		return out
	}
	for i, rank := range v.Screening.Ranks {
		p := scoutPoint{Rank: rank, ValLoss: v.Screening.Losses[i].Mean}
		p.Error = max(sweep.ScoutError(p.ValLoss, rank, v.Screening.Knee, v.Screening.Rank))
		if loss, ok := l.TrainedLikeScout(v.Screening.Rank, rank); ok {
			p.Trained, p.Difference = &loss, new(p.ValLoss-loss)
			p.Error = max(*p.Difference, -*p.Difference)
		}
		out.Curve = append(out.Curve, p)
	}
	return out
}

func (v scoutView) table(w io.Writer, shell prose.Shell) error {
	for _, warning := range v.Warnings {
		if _, err := fmt.Fprintf(w, "warning: %s\n", warning); err != nil {
			return err
		}
	}
	if r := v.Recommendation; r.RecommendedRank > 0 {
		of := ""
		if len(v.Ladders) > 1 {
			of = fmt.Sprintf(" of ladder %d%s", r.Ladder, inBrackets(r.Cell.Axes()))
		}
		if _, err := fmt.Fprintf(w, "Try rank %d%s: an estimate from one run. No larger rank seems to gain min_gain %.3g.\n",
			r.RecommendedRank, of, r.MinGain); err != nil {
			return err
		}
	}
	for _, l := range v.Ladders {
		if _, err := fmt.Fprintf(w, "\nladder %d%s: %s\n", l.Ladder, inBrackets(l.Cell.Axes()), l.Reason); err != nil {
			return err
		}
		if err := l.table(w); err != nil {
			return err
		}
	}
	certify := "To certify: strategy: scout in the grid, then: " + shell.Command("run", shell.Grid)
	if v.AllTrained {
		certify = fmt.Sprintf("Every rank is trained with every seed: this prints the verdict: %s\nor, where that sweep did not run, "+
			"this does so without training anything: %s", shell.Command("report", strings.TrimSuffix(v.Sweep, scoutSuffix)),
			shell.Command("run", shell.Grid))
	}
	_, err := fmt.Fprintf(w, "\n%s of the %s trial-steps of all ranks and seeds (%.0f %%). The error is the largest measured on other "+
		"ladders (sweep help scout),\nor what was observed where this rank was trained. %s\n",
		report.Count(int64(v.Steps)), report.Count(int64(v.StepsExhaustive)), 100*float64(v.Steps)/float64(max(1, v.StepsExhaustive)), certify)
	return err
}

func (l scoutLadder) table(w io.Writer) error {
	if len(l.Curve) == 0 {
		return nil
	}
	header := []string{"rank", "val_loss", "error", "trained", "difference"}
	if !slices.ContainsFunc(l.Curve, func(p scoutPoint) bool { return p.Trained != nil }) {
		header = header[:3]
	}
	rows := make([][]string, len(l.Curve))
	for i, p := range l.Curve {
		row := []string{strconv.Itoa(p.Rank), formatMeasured(&p.ValLoss), "±" + formatMeasured(&p.Error), formatMeasured(p.Trained), ""}
		if p.Difference != nil {
			row[4] = fmt.Sprintf("%+.4f", *p.Difference)
		}
		rows[i] = row[:len(header)]
	}
	return writeTable(w, header, rows, "trained")
}

// rows has one row per ladder and rank, numbers in full.
func (v scoutView) rows() (header []string, rows [][]string) {
	header = []string{"ladder", "cell", "rank", "val_loss", "error", "trained_val_loss", "difference"}
	for _, l := range v.Ladders {
		for _, p := range l.Curve {
			rows = append(rows, []string{
				strconv.Itoa(l.Ladder), l.Cell.Axes(), strconv.Itoa(p.Rank), fullNumber(&p.ValLoss), fullNumber(&p.Error), fullNumber(p.Trained),
				fullNumber(p.Difference),
			})
		}
	}
	return header, rows
}

// printScout prints a finished scout in the format of -o.
func (a *app) printScout(s sweep.Snapshot, verdicts []plateau.Verdict) error {
	v := newScoutView(s, verdicts)
	table := func(w io.Writer) error { return v.table(w, a.shellOf(s.Sweep)) }
	return a.emit("scout", v, withTerms(table), v.rows)
}
