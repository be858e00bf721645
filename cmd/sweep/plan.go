package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

func newPlanCommand(a *app) *cobra.Command {
	var skip, targets bool
	cmd := &cobra.Command{
		Use:   "plan GRID.yaml",
		Short: "Say what a grid will train, what it will cost and what its seeds can show",
		Long: `plan lists the grid's ladders with trials, tokens and trainable parameters per rank, and the smallest gain that its seeds can
tell from none. Then it reads the data and trains a few real steps of the lowest and the highest rank of each ladder, in a
worker as a run would, and predicts memory and time from them; --no-calibrate leaves that out and reads configurations only.
Where limits.memory, or the memory that the machine or the container has, would stop a rank, it measures again with half the
batch_size and twice the gradient_accumulation_steps, then with train.gradient_checkpointing, and says what that would change.
Where any limit would end a rank it prints the lines of a cheaper grid that keeps them all.

Totals are upper bounds: a ladder that reaches its plateau trains fewer ranks. What climbing, a scout and every rank take is printed as
expected, if each rank is as likely to be the answer, and at most. Times assume an otherwise idle machine.

With --executor slurm or ray nothing is measured, for this machine is none of the cluster's; the data is read, and the script
is printed that the queue would get for the trials that the sweep begins with.

--targets instead lists the modules that target_modules selects, by kind and layers (with -v every one), those it leaves out, and
how many parameters each rank trains. It reads configurations only.`,
		Example: `  sweep plan grid.yaml
  sweep plan grid.yaml --targets
  sweep plan grid.yaml --no-calibrate -o json
  sweep plan grid.yaml --executor slurm --cluster a100.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if targets {
				return a.printTargets(cmd.Context(), args[0])
			}
			makePlan := a.plan
			if a.executor.cluster != nil {
				makePlan = a.planOnCluster
			}
			if skip {
				makePlan = a.planUncalibrated
			}
			// Workers outlive whoever started them: an interrupted plan must end its own.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			view, err := makePlan(ctx, args[0])
			if err != nil {
				return asUsage(err)
			}
			for _, w := range view.Warnings {
				a.say("warning: %s", w)
			}
			return a.emit("plan", view, withTerms(view.table), view.csv)
		},
	}
	cmd.Flags().BoolVar(&skip, "no-calibrate", false,
		"do not read data or train: says nothing of memory and time, and counts finished trials as still to train")
	cmd.Flags().BoolVar(&targets, "targets", false, "list the modules to adapt and the trainable parameters per rank, nothing else")
	return cmd
}

// planUncalibrated reads the models' configurations only.
func (a *app) planUncalibrated(ctx context.Context, path string) (planView, error) {
	x, err := a.expandGrid(ctx, path)
	if err != nil {
		return planView{}, err
	}
	warnings, err := x.planner.CheckStarts(x.ladders)
	if err != nil {
		return planView{}, err
	}
	view := newPlanView(x.grid.Grid, append(x.warnings, warnings...))
	for _, l := range x.ladders {
		view.add(l)
	}
	view.compare(x.grid.Grid, sweep.Registration{Ladders: x.ladders}, nil, nil, 1)
	return view, nil
}

// toPlan is what a plan rests on, wherever the trials would run.
type toPlan struct {
	sweep.Registration
	grid     grid.Grid
	text     []byte
	choice   backend.Choice
	capacity sweep.Capacity
	before   sweep.Before
}

// readToPlan reads the inputs as a run would.
func (a *app) readToPlan(ctx context.Context, path string) (p toPlan, err error) {
	if p.grid, p.text, err = readGrid(path); err != nil {
		return p, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return p, err
	}
	var stored sweep.Snapshot
	if p.before, stored, err = a.trainedBefore(ctx, p.grid.Name); err != nil {
		return p, err
	}
	if p.choice, err = a.resolveBackend(ctx, stored.Sweep); err != nil && stored.Sweep.Backend != "" {
		p.choice, err = a.resolveBackend(ctx, sweep.Info{}) // the grid needs another name here
	} else {
		p.grid = asRegistered(p.grid, stored)
	}
	if err != nil {
		return p, err
	}
	if p.Registration, err = a.readInputs(ctx, p.choice, dir, p.grid); err != nil {
		return p, err
	}
	if _, err := stored.Extend(p.Registration); err == nil && len(stored.Ladders) > 0 { // else it begins anew, under another name
		p.before.Extends, p.before.Elapsed, p.before.Tokens = p.grid.Name, stored.Sweep.Elapsed, stored.TokensByTrial()
	}
	p.capacity, err = a.capacity(ctx, p.choice, p.Registration, p.Registration.Parallel())
	return p, err
}

// plan reads the inputs as a run would and calibrates on them.
func (a *app) plan(ctx context.Context, path string) (planView, error) {
	in, err := a.readToPlan(ctx, path)
	if err != nil {
		return planView{}, err
	}
	g, r, capacity := in.grid, in.Registration, in.capacity
	info := planned(g, r.Platform, capacity)
	limits := info.Limits
	measured, err := a.calibrate(ctx, r, limits, capacity)
	if err != nil {
		return planView{}, err
	}
	view := newPlanView(g, r.Warnings)
	view.Backend, view.Jobs = in.choice.Identity, capacity.Jobs
	before := in.before
	estimates := make([]sweep.LadderEstimate, len(r.Ladders))
	for i, l := range r.Ladders {
		if estimates[i], err = l.Estimate(measured[i], limits); err != nil {
			return planView{}, err
		}
		view.add(l)
		view.predict(i, estimates[i])
	}
	view.compare(g, r, estimates, before.Finished, capacity.Jobs)
	view.Forecast = new(r.Forecast(info, estimates, before, capacity.Jobs))
	if limits.Memory != g.Limits().Memory {
		view.Forecast.ByMachine()
	}
	if limits.Disk > 0 {
		used, err := a.used()
		if err != nil {
			return planView{}, err
		}
		view.Forecast.AddDisk(r, estimates, before.Finished, limits.Disk, used)
	}
	for _, c := range sweep.Changes() {
		if err := a.addRemedy(ctx, view.Forecast, r, c, limits, capacity); err != nil {
			return planView{}, err
		}
	}
	view.Seconds = &view.Forecast.MostSeconds
	if cheaper, ok := view.Forecast.Fitting(r, estimates, info, capacity.Jobs, g.Gives); ok && a.accepts(ctx, path, in.text, cheaper) {
		view.Forecast.Cheaper = &cheaper
	}
	return view, nil
}

// accepts reports whether a grid with the lines of a cheaper one is valid.
func (a *app) accepts(ctx context.Context, path string, text []byte, c sweep.Cheaper) bool {
	g, err := grid.With(path, text, c.Grid, c.Remove...)
	if err == nil {
		_, err = a.expandParsed(ctx, path, g)
	}
	return err == nil
}

// planned is what a plan needs of the sweep that a grid would become. A trial may use no more memory than the machine has.
func planned(g grid.Grid, platform string, capacity sweep.Capacity) sweep.Info {
	rule := g.Rule()
	rule.GridSeeds = g.Seeds
	info := sweep.Info{Rule: rule, Seeds: g.Seeds, Limits: g.Limits(), Strategy: g.Strategy(), Race: g.Race(), Platform: platform}
	info.Limits.Memory = capacity.TrialBytes(info)
	return info
}

// addRemedy measures what memory stops once more, with a change that may help.
func (a *app) addRemedy(ctx context.Context, f *sweep.Forecast, r sweep.Registration, c sweep.Change, limits sweep.Limits,
	capacity sweep.Capacity,
) error {
	again := f.Changed(r, c)
	if len(again.Ladders) == 0 {
		return nil
	}
	a.say("memory stops a rank: measuring again with %s", c.Name)
	measured, err := a.calibrate(ctx, again, limits, capacity)
	if err != nil {
		return err
	}
	f.Add(r, c, measured, limits)
	return nil
}

// calibrate measures the ladders' lowest and highest ranks in a folder that is removed.
func (a *app) calibrate(ctx context.Context, r sweep.Registration, limits sweep.Limits, capacity sweep.Capacity,
) (measured []sweep.MeasuredEnds, err error) {
	if capacity.Devices > 0 { // what is being measured shares no device
		capacity.Jobs = min(capacity.Jobs, capacity.Devices)
	}
	say := func(rank, step int) {
		if step == 0 {
			a.say("measuring rank %d: a few steps and batches of an evaluation", rank)
			return
		}
		a.say("measuring rank %d: step %d done", rank, step)
	}
	err = a.withCalibrator(r, capacity, limits.Memory, say, func(c *sweep.Calibrator) (err error) {
		measured, err = c.Measure(ctx)
		return err
	})
	if errors.Is(err, context.Canceled) {
		err = withCode(exitInterrupted, errors.New("interrupted"))
	}
	return measured, err
}

// trainedBefore is what the root's database has of trials, and the sweep of that name; nothing where there is no database yet.
func (a *app) trainedBefore(ctx context.Context, name string) (b sweep.Before, s sweep.Snapshot, err error) {
	db, err := a.openReadOnly(ctx)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, sweep.ErrNotFound) {
		return b, s, nil
	}
	if err != nil {
		return b, s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if b.Finished, err = db.FinishedTrials(ctx); err != nil {
		return b, s, err
	}
	info, err := db.Find(ctx, name)
	if errors.Is(err, sweep.ErrNotFound) {
		return b, s, nil
	}
	if err == nil {
		s, err = db.Snapshot(ctx, info.ID)
	}
	return b, s, err
}
