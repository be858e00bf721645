package sweep

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cheaper is a grid that fits all limits where the planned one meets some: what to replace.
type Cheaper struct {
	Seconds float64 `json:"seconds"` // of all its trials, at most; 0 where only memory was short
	Grid    string  `json:"grid"`    // YAML: the keys to replace
}

// The least that a cheaper grid comes down to: below, what it shows is noise.
const (
	leastValidation = 64
	leastSteps      = 100
	leastLength     = 64
	leastSeeds      = 2
	leastRanks      = 3
)

// draft is a grid on its way to being cheaper.
type draft struct {
	Registration
	estimates                 []LadderEstimate
	jobs                      int
	validation, steps, length int
	seeds                     []int64
	ranks                     []int
	settings                  string  // lines of train against what memory stops
	train, evaluate           float64 // what is left of a trial's training and evaluation, as shares
	drawn                     int     // seeds that the estimates are of
}

// newDraft is the grid as it was planned.
func newDraft(r Registration, estimates []LadderEstimate, seeds []int64, jobs int) draft {
	first := r.Ladders[0]
	d := draft{
		Registration: r, estimates: slices.Clone(estimates), jobs: jobs,
		validation: first.Corpus.ValidationSequences, steps: first.Spec().Train.Steps, length: first.Spec().Data.SequenceLength,
		seeds: seeds, drawn: len(seeds), train: 1, evaluate: 1,
	}
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			d.ranks = append(d.ranks, rung.Rank)
		}
	}
	slices.Sort(d.ranks)
	d.ranks = slices.Compact(d.ranks)
	return d
}

// Fitting is a grid that fits all limits where the planned one meets some. What memory stops is remedied first: see fitMemory. Then what
// the grid costs is halved until the rest fits, in this order, as far as it serves: validation rows, steps, sequence length, seeds,
// ranks. Evaluation is taken to be as frequent, relative to the steps, and time to grow with the ids. It reports false where no limit is
// met, or nothing reaches it.
func (f *Forecast) Fitting(r Registration, estimates []LadderEstimate, limits Limits, seeds []int64, jobs int) (Cheaper, bool) {
	if len(f.Limits) == 0 {
		return Cheaper{}, false
	}
	d := newDraft(r, estimates, seeds, jobs)
	before := d
	if !f.fitMemory(&d) {
		return Cheaper{}, false
	}
	for halved := 0; ; halved++ {
		total, longest := d.seconds()
		over := exceeded{
			time:   !within(total, limits.Time) || !within(longest, limits.TrialTime),
			tokens: limits.Tokens > 0 && d.tokens() > float64(limits.Tokens),
			disk:   limits.Disk > 0 && d.disk(f.used) > limits.Disk,
		}
		if over == (exceeded{}) {
			if halved == 0 {
				total = 0
			}
			grid := d.yaml(before)
			return Cheaper{Seconds: total, Grid: grid}, grid != ""
		}
		if !d.halve(over) {
			return Cheaper{}, false
		}
	}
}

func within(seconds float64, limit time.Duration) bool {
	return limit == 0 || seconds <= limit.Seconds()
}

// exceeded says which limits a draft does not keep.
type exceeded struct{ time, tokens, disk bool }

// halve takes the next step down that serves, and reports whether there was one. Validation takes time alone, and the length of training
// no disk.
func (d *draft) halve(over exceeded) bool {
	shorter := over.time || over.tokens
	switch {
	case over.time && d.validation > leastValidation:
		less := max(leastValidation, d.validation/2)
		d.evaluate *= float64(less) / float64(d.validation)
		d.validation = less
	case shorter && d.steps > leastSteps:
		less := max(leastSteps, d.steps/2)
		d.train *= float64(less) / float64(d.steps)
		d.steps = less
	case shorter && d.length > leastLength:
		less := max(leastLength, d.length/2)
		share := float64(less) / float64(d.length)
		d.train, d.evaluate, d.length = d.train*share, d.evaluate*share, less
	case len(d.seeds) > leastSeeds:
		d.seeds = d.seeds[:leastSeeds]
	case len(d.ranks) > leastRanks:
		var kept []int
		for i := 0; i < len(d.ranks); i += 2 {
			kept = append(kept, d.ranks[i])
		}
		d.ranks = kept
	default:
		return false
	}
	return true
}

// each visits the rungs that are left, with what a trial of them takes and how many there are.
func (d *draft) each(visit func(l LadderPlan, rung RungPlan, e RungEstimate, trials float64)) {
	for i, l := range d.Ladders {
		for j, rung := range l.Rungs {
			if e := d.estimates[i].Rungs[j]; slices.Contains(d.ranks, rung.Rank) && !e.OverMemory {
				visit(l, rung, e, float64(len(rung.Trials))*float64(len(d.seeds))/float64(d.drawn))
			}
		}
	}
}

// seconds is what all trials take together, and the longest of them.
func (d *draft) seconds() (total, longest float64) {
	d.each(func(_ LadderPlan, _ RungPlan, e RungEstimate, trials float64) {
		one := e.Startup + (e.TrialSeconds-e.EvalSeconds-e.Startup)*d.train + e.EvalSeconds*d.evaluate
		total, longest = total+one*trials, max(longest, one)
	})
	parallel := d.Parallel() * len(d.seeds) / d.drawn
	return total / float64(max(1, min(d.jobs, parallel))), longest
}

// tokens are those that all trials train on together.
func (d *draft) tokens() (total float64) {
	d.each(func(l LadderPlan, rung RungPlan, _ RungEstimate, trials float64) {
		total += trials * d.train * float64(l.Tokens(rung.Trials[0].Trial.Spec()))
	})
	return total
}

// disk is what all trials write, beside what the root takes already.
func (d *draft) disk(used int64) int64 {
	total := float64(used + diskBeside)
	d.each(func(l LadderPlan, rung RungPlan, _ RungEstimate, trials float64) {
		total += trials * float64(l.diskOf(rung))
	})
	return int64(total)
}

// yaml lists what differs from before.
func (d *draft) yaml(before draft) string {
	var b strings.Builder
	if d.validation != before.validation || d.length != before.length {
		b.WriteString("data:\n")
	}
	if d.validation != before.validation {
		fmt.Fprintf(&b, "  validation_sequences: %d\n", d.validation)
	}
	if d.length != before.length {
		fmt.Fprintf(&b, "  sequence_length: %d\n", d.length)
	}
	if len(d.ranks) != len(before.ranks) {
		fmt.Fprintf(&b, "lora:\n  rank: %s\n", list(d.ranks))
	}
	if d.steps != before.steps || d.settings != "" {
		b.WriteString("train:\n")
	}
	if d.steps != before.steps {
		fmt.Fprintf(&b, "  steps: %d\n", d.steps)
	}
	b.WriteString(d.settings)
	if len(d.seeds) != len(before.seeds) {
		fmt.Fprintf(&b, "seeds: %s\n", list(d.seeds))
	}
	return b.String()
}

func list[T any](items []T) string { return strings.ReplaceAll(fmt.Sprint(items), " ", ", ") }
