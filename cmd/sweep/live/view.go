package live

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// largeSweep is from how many trials on a page has its ladders, axes and trials when asked for.
const largeSweep = 1000

// reportEvery is how often the report's parts are made at most: charts that change more often tell nobody more.
const reportEvery = time.Second

// view is a sweep as its page shows it.
type view struct {
	server *Server
	name   string

	mu       sync.Mutex
	pace     pace // of all
	reported pace // of the report's parts
	snapshot sweep.Snapshot
	decider  sweep.Decider
	decision sweep.Decision // on the snapshot
	jobs     int            // trials that ran at the same time
	losses   map[trial.ID][]trial.StepTrainLoss
	open     map[trial.ID]bool // whose attempt had not ended when last seen
	made     page.Parts
	report   []page.Part // without the part on what goes on
	parts    []page.Part
}

// look returns the page's parts, made anew where there is reason to. A view that never had any, be it of no sweep, is forgotten.
func (v *view) look(ctx context.Context) (_ []page.Part, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	defer func() {
		if err != nil && v.parts == nil {
			v.server.drop(v)
		}
	}()
	generation, err := v.server.now(ctx)
	if err != nil {
		return nil, err
	}
	last := v.server.ending() // what a stream sends last is how it ended
	stale := v.report == nil || generation != v.reported.generation && (last || v.reported.due(generation))
	due := v.pace.due(generation)
	if !due && !stale {
		return v.parts, nil
	}
	begun := time.Now()
	if v.parts == nil || generation != v.pace.generation {
		if err := v.read(ctx); err != nil {
			return nil, err
		}
		if v.parts == nil {
			begun = time.Now() // the first time reads all, later ones what changed
		}
	}
	points, err := v.points(ctx)
	if err != nil {
		return nil, err
	}
	spent := time.Duration(0)                       // on the report, which has a pace of its own
	if v.report == nil || stale && (!due || last) { // what goes on does not wait for it: the report comes when next asked
		since := time.Now()
		if v.report, err = v.makeReport(ctx); err != nil {
			return nil, err
		}
		v.reported.done(generation, since, reportEvery)
		spent = time.Since(since)
	}
	now, err := v.now(ctx, points)
	if err != nil {
		return nil, err
	}
	part, err := v.made.Now(now)
	if err != nil {
		return nil, err
	}
	v.parts = slices.Insert(slices.Clone(v.report), 1, part)
	v.pace.done(generation, begun.Add(spent), lookEvery)
	return v.parts, nil
}

// large reports whether the sweep's page would take long to open with all its parts.
func (v *view) large() bool {
	n := 0
	v.snapshot.Each(func(*sweep.Ladder, int, *sweep.TrialFacts) { n++ })
	return n > largeSweep
}

// read brings the facts up to date, and what they say.
func (v *view) read(ctx context.Context) error {
	if err := v.readFacts(ctx); err != nil {
		return err
	}
	v.decision = v.decider.Decide(v.snapshot, nil, sweep.Capacity{Jobs: 1})
	return nil
}

func (v *view) readFacts(ctx context.Context) (err error) {
	db := v.server.config.DB
	if v.parts != nil {
		v.snapshot, err = db.Refresh(ctx, v.snapshot)
		return err
	}
	info, err := db.Find(ctx, v.name)
	if err != nil {
		return err
	}
	if v.snapshot, err = db.Snapshot(ctx, info.ID); err != nil {
		return err
	}
	v.losses = map[trial.ID][]trial.StepTrainLoss{}
	if !v.large() {
		if v.losses, err = db.TrainLosses(ctx, info.ID); err != nil {
			return err
		}
	}
	return nil
}

// points reads the steps of the trials that run, and once more of those that did when last seen.
func (v *view) points(ctx context.Context) (map[trial.ID][]store.PointRow, error) {
	before, points := v.open, map[trial.ID][]store.PointRow{}
	v.open = map[trial.ID]bool{}
	losses := maps.Clone(v.losses)
	var err error
	v.snapshot.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		if t.State() == sweep.TrialRunning {
			v.open[t.Trial.ID] = true
		}
		if err != nil || !v.open[t.Trial.ID] && !before[t.Trial.ID] || points[t.Trial.ID] != nil {
			return
		}
		var rows []store.PointRow
		if rows, err = v.server.config.DB.Points(ctx, t.Trial.ID); err != nil {
			return
		}
		points[t.Trial.ID] = rows
		losses[t.Trial.ID] = trainLosses(rows)
	})
	v.losses = losses
	return points, err
}

func trainLosses(rows []store.PointRow) []trial.StepTrainLoss {
	losses := make([]trial.StepTrainLoss, len(rows))
	for i, p := range rows {
		losses[i] = trial.StepTrainLoss{Step: p.Step, TrainLoss: p.TrainLoss}
	}
	return losses
}

// makeReport makes the parts of the report. Those that take long to make or to draw wait in a large sweep until they are asked for.
func (v *view) makeReport(ctx context.Context) ([]page.Part, error) {
	db, id, large := v.server.config.DB, v.snapshot.Sweep.ID, v.large()
	beside := page.Beside{Verdicts: v.decision.Verdicts, TrainLosses: v.losses}
	if shell := v.server.config.Shell; shell != nil {
		beside.Shell = shell(v.snapshot.Sweep)
	}
	var err error
	if beside.Environments, err = db.Environments(ctx, id); err != nil {
		return nil, err
	}
	if !large {
		if beside.Updates, err = db.Updates(ctx, id); err != nil {
			return nil, err
		}
	}
	if v.made, err = page.NewParts(v.snapshot, beside); err != nil {
		return nil, err
	}
	var parts []page.Part
	for _, name := range []string{page.PartAnswer, page.PartAxes, page.PartLadders, page.PartTrials, page.PartRan} {
		how := v.made.Make
		if large && slices.Contains(laterParts(), name) {
			how = v.made.Later
		}
		part, err := how(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func laterParts() []string { return []string{page.PartAxes, page.PartLadders, page.PartTrials} }

// part makes one that a large sweep's page has only when it is asked for.
func (v *view) part(ctx context.Context, name string) (page.Part, error) {
	if _, err := v.look(ctx); err != nil {
		return page.Part{}, err
	}
	if !slices.Contains(laterParts(), name) {
		return page.Part{}, fmt.Errorf("%s: %w", name, page.ErrNoPart)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	made := v.made
	if name == page.PartLadders && v.large() {
		losses := map[trial.ID][]trial.StepTrainLoss{}
		for _, id := range made.Drawn() {
			rows, err := v.server.config.DB.Points(ctx, id)
			if err != nil {
				return page.Part{}, err
			}
			losses[id] = trainLosses(rows)
		}
		made = made.WithTrainLosses(losses)
	}
	part, err := made.Make(name)
	if err != nil {
		return part, err
	}
	return made.AsOf(part, time.Now())
}
