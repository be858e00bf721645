package sweep

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Remedy is what a change of train would do where memory stops a rank.
type Remedy struct {
	Grid         string  `json:"grid"`          // YAML: the keys to replace
	Bytes        int64   `json:"bytes"`         // of a trial of that rank
	TrialSeconds float64 `json:"trial_seconds"` // of one; 0 where it does not fit
	UpTo         int     `json:"up_to"`         // the highest rank of the ladder that fits; 0 where none does

	rungs []RungEstimate // of the whole ladder
}

// trainKey begins the lines of a Remedy.
const trainKey = "train:\n"

// Change is a remedy that can be measured: an edit of every trial of a ladder, and where its result is kept.
type Change struct {
	Name  string // what is being measured
	lines func(trial.TrainSpec) string
	edit  func(*trial.TrainSpec)
	fits  func(trial.TrainSpec) bool // there is something to change
	of    func(*Reached) **Remedy
}

// Changes are the remedies, the one that changes nothing but the order of sums first.
func Changes() []Change {
	return []Change{
		{
			Name: "half the batch_size", of: func(r *Reached) **Remedy { return &r.SmallerBatch },
			fits: func(t trial.TrainSpec) bool { return t.BatchSize > 1 && t.BatchSize%2 == 0 },
			edit: func(t *trial.TrainSpec) {
				t.BatchSize, t.GradientAccumulationSteps = t.BatchSize/2, max(1, t.GradientAccumulationSteps)*2
			},
			lines: func(t trial.TrainSpec) string {
				return fmt.Sprintf("  batch_size: %d\n  gradient_accumulation_steps: %d\n", t.BatchSize, t.GradientAccumulationSteps)
			},
		},
		{
			Name: "gradient checkpointing", of: func(r *Reached) **Remedy { return &r.Checkpointing },
			fits:  func(t trial.TrainSpec) bool { return !t.GradientCheckpointing },
			edit:  func(t *trial.TrainSpec) { t.GradientCheckpointing = true },
			lines: func(trial.TrainSpec) string { return "  gradient_checkpointing: true\n" },
		},
	}
}

// Stopped are the ladders that memory stops and that the change may help.
func (f *Forecast) stopped(r Registration, c Change) []*Reached {
	var all []*Reached
	for i := range f.Limits {
		if l := &f.Limits[i]; l.byMemory() && c.fits(r.Ladders[l.Ladder-1].Spec().Train) {
			all = append(all, l)
		}
	}
	return all
}

func (r Reached) byMemory() bool { return r.Limit == limitMemory || r.Limit == limitMachine }

// Changed returns the ladders to measure again: those that memory stops, with the change in every trial.
func (f *Forecast) Changed(r Registration, c Change) Registration {
	var again []LadderPlan
	for _, l := range f.stopped(r, c) {
		ladder := r.Ladders[l.Ladder-1]
		ladder.Rungs = slices.Clone(ladder.Rungs)
		for i, rung := range ladder.Rungs {
			ladder.Rungs[i].Trials = slices.Clone(rung.Trials)
			for j, t := range rung.Trials {
				ladder.Rungs[i].Trials[j].Trial = t.Trial.Changed(func(s *trial.Spec) { c.edit(&s.Train) })
			}
		}
		again = append(again, ladder)
	}
	r.Ladders = again
	return r
}

// Add says beside the limits what was measured of the ladders that Changed returned.
func (f *Forecast) Add(r Registration, c Change, measured []MeasuredEnds, limits Limits) {
	for i, l := range f.stopped(r, c) {
		ladder := r.Ladders[l.Ladder-1]
		train := ladder.Spec().Train
		c.edit(&train)
		remedy := &Remedy{Grid: trainKey + c.lines(train), rungs: ladder.estimateRungs(measured[i], limits)}
		*c.of(l) = remedy
		for j, e := range remedy.rungs {
			rank := ladder.Rungs[j].Rank
			if rank == l.Rank {
				remedy.Bytes = e.Bytes
			}
			if e.OverMemory {
				continue
			}
			remedy.UpTo = rank
			if rank == l.Rank {
				remedy.TrialSeconds = e.TrialSeconds
			}
		}
	}
}

// remedies are those that were measured, in the order of Changes.
func (r *Reached) remedies() []*Remedy {
	var all []*Remedy
	for _, c := range Changes() {
		if remedy := *c.of(r); remedy != nil {
			all = append(all, remedy)
		}
	}
	return all
}

// Remedied reports whether some remedy lets a ladder climb further than memory does without.
func (f *Forecast) Remedied() bool {
	return slices.ContainsFunc(f.Limits, func(l Reached) bool {
		return slices.ContainsFunc(l.remedies(), func(m *Remedy) bool { return m.UpTo >= l.Rank })
	})
}

// fitMemory takes into a draft what lets its ladders fit the memory that there is: the first remedy with which every ladder trains all its
// ranks, else the ranks below the first that is too large, or what lets most of them train. It reports false where nothing helps.
func (f *Forecast) fitMemory(d *draft) bool {
	var stopped []*Reached
	for i := range f.Limits {
		if f.Limits[i].byMemory() {
			stopped = append(stopped, &f.Limits[i])
		}
	}
	if len(stopped) == 0 {
		return true
	}
	upTo := lowestBelow(stopped, d.Registration)
	var best *Change
	for _, c := range Changes() {
		if reach := c.reach(stopped); reach > upTo && c.alike(d.Registration) {
			best, upTo = &c, reach
		}
	}
	if upTo == 0 {
		return false
	}
	if best != nil {
		for _, l := range stopped {
			m := *best.of(l)
			d.settings, d.estimates[l.Ladder-1].Rungs = strings.TrimPrefix(m.Grid, trainKey), m.rungs
		}
	}
	d.ranks = slices.DeleteFunc(d.ranks, func(rank int) bool { return rank > upTo })
	return true
}

// alike reports whether the change writes the same lines for every trial, so that no axis goes.
func (c Change) alike(r Registration) bool {
	return len(values(r, func(s trial.Spec) string {
		c.edit(&s.Train)
		return c.lines(s.Train)
	})) == 1
}

// reach is the highest rank that all of some stopped ladders train with the change, 0 where one of them trains none.
func (c Change) reach(stopped []*Reached) (reach int) {
	for i, l := range stopped {
		m, first := *c.of(l), *c.of(stopped[0])
		if m == nil || m.Grid != first.Grid {
			return 0
		}
		if i == 0 || m.UpTo < reach {
			reach = m.UpTo
		}
	}
	return reach
}

// lowestBelow is the highest rank that every stopped ladder can train as it is, 0 where some can train none.
func lowestBelow(stopped []*Reached, r Registration) int {
	lowest := -1
	for _, l := range stopped {
		below := 0
		for _, rung := range r.Ladders[l.Ladder-1].Rungs {
			if rung.Rank < l.Rank {
				below = rung.Rank
			}
		}
		if lowest < 0 || below < lowest {
			lowest = below
		}
	}
	return lowest
}

// remediesText says what was measured of remedies.
func (r Reached) remediesText() string {
	var b strings.Builder
	for _, m := range r.remedies() {
		settings := strings.Join(strings.Split(strings.TrimSpace(strings.TrimPrefix(m.Grid, trainKey)), "\n  "), ", train.")
		fmt.Fprintf(&b, "; with train.%s it would need %s", settings, trial.FormatBytes(m.Bytes))
		if m.UpTo < r.Rank {
			b.WriteString(", which is too much as well")
			continue
		}
		fmt.Fprintf(&b, " and %s a trial, and ranks up to %d fit", seconds(m.TrialSeconds), m.UpTo)
	}
	return b.String()
}

// TrialBytes is what one trial may use: limits.memory, and never more than the machine has. 0 means no bound.
func (c Capacity) TrialBytes(info Info) int64 { return c.limit(info) }
