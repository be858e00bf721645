package sweep

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Cheaper is a grid that fits all limits where the planned one meets some: what to replace.
type Cheaper struct {
	Seconds float64  `json:"seconds"`          // of all its trials, at most; 0 where only memory was short
	Grid    string   `json:"grid"`             // YAML: the keys to replace
	Remove  []string `json:"remove,omitempty"` // keys to take out, which those exclude
}

// The least that a cheaper grid comes down to: below, what it shows is noise.
const (
	leastValidation = 64
	leastSteps      = 100
	leastLength     = 64
	leastSeeds      = 2
	leastRanks      = 3
)

// epochsKey excludes train.steps.
const epochsKey = "train.num_train_epochs"

// draft is a grid on its way to being cheaper. Its axes stay as they are.
type draft struct {
	Registration
	was                               *draft // as it was planned
	estimates                         []LadderEstimate
	finished                          map[trial.ID]bool
	jobs                              int
	given                             func(key string) bool // in the grid file
	validation, steps, length, warmup int
	leastSteps, leastLength           int
	seeds                             []int64
	ranks                             []int
	leastRanks                        int
	settings                          string  // lines of train against what memory stops
	train, evaluate                   float64 // what is left of a trial's training and evaluation, as shares
}

// newDraft is the grid as it was planned.
func (f *Forecast) newDraft(r Registration, estimates []LadderEstimate, seeds []int64, jobs int, given func(string) bool) draft {
	first := r.Ladders[0]
	d := draft{
		Registration: r, estimates: slices.Clone(estimates), finished: f.finished, jobs: jobs, given: given,
		validation: first.Corpus.ValidationSequences, steps: first.Spec().Train.Steps, length: first.Spec().Data.SequenceLength,
		leastSteps: leastSteps, leastLength: leastLength, leastRanks: leastRanks, seeds: seeds, train: 1, evaluate: 1,
	}
	steps := values(r, func(s trial.Spec) int { return s.Train.Steps })
	warmup := values(r, func(s trial.Spec) int { return s.Train.WarmupSteps })
	switch {
	case len(steps) > 1:
		d.leastSteps = slices.Max(steps)
	case given("train.warmup_ratio"): // which follows the steps
	case len(warmup) == 1:
		d.warmup = warmup[0]
	default:
		d.leastSteps = max(leastSteps, slices.Max(warmup))
	}
	fixed := len(steps) > 1 || len(warmup) > 1 && slices.Max(warmup) > d.steps
	if first.Spec().Data.LongRows != "" || given(epochsKey) && fixed { // it would lose rows, or ask for steps: see offer
		d.leastLength = d.length
	}
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			d.ranks = append(d.ranks, rung.Rank)
		}
	}
	slices.Sort(d.ranks)
	d.ranks = slices.Compact(d.ranks)
	if slices.ContainsFunc(r.Ladders, func(l LadderPlan) bool { return len(l.Rungs) < len(d.ranks) }) { // a list would not fit every model
		d.leastRanks = len(d.ranks)
	}
	was := d
	d.was = &was
	return d
}

// values are those of a setting over all trials, each once: several for an axis.
func values[T cmp.Ordered](r Registration, of func(trial.Spec) T) (all []T) {
	for _, l := range r.Ladders {
		for _, t := range l.Rungs[0].PerCandidate() {
			all = append(all, of(t.Spec))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Fitting is a grid that fits all limits where the planned one meets some. What memory stops is remedied first: see fitMemory. Then what
// the grid costs is halved until the rest fits, in this order, as far as it serves: validation rows, steps, sequence length, seeds,
// ranks. Evaluation is taken to be as frequent, relative to the steps, and time to grow with the ids. given says which keys the grid file
// has. It reports false where no limit is met, or nothing reaches it, or the grid extends a sweep, which takes no other trials.
func (f *Forecast) Fitting(r Registration, estimates []LadderEstimate, info Info, jobs int, given func(key string) bool) (Cheaper, bool) {
	if len(f.Limits) == 0 || f.Extends != "" {
		return Cheaper{}, false
	}
	limits := info.Limits
	d := f.newDraft(r, estimates, info.Seeds, jobs, given)
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
			offer := d.offer(total)
			return offer, offer.Grid != ""
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
	case shorter && d.steps > d.leastSteps:
		less := max(d.leastSteps, d.steps/2)
		d.train *= float64(less) / float64(d.steps)
		d.steps = less
	case shorter && d.length > d.leastLength:
		less := max(d.leastLength, d.length/2)
		share := float64(less) / float64(d.length)
		d.train, d.evaluate, d.length = d.train*share, d.evaluate*share, less
	case len(d.seeds) > leastSeeds:
		d.seeds = d.seeds[:leastSeeds]
	case len(d.ranks) > d.leastRanks:
		var kept []int
		for i, rank := range d.ranks {
			if i%2 == 0 || i == leastRanks && len(d.ranks) == leastRanks+1 { // two of four would be too few
				kept = append(kept, rank)
			}
		}
		d.ranks = kept
	default:
		return false
	}
	return true
}

// each visits the rungs that are left, with what a trial of them takes and how many there are to train. What is finished serves as long as
// trials stay what they are.
func (d *draft) each(visit func(l LadderPlan, rung RungPlan, e RungEstimate, trials float64)) {
	count := func(l LadderPlan, rung RungPlan, e RungEstimate) {
		trials := 0.
		for _, t := range rung.Trials {
			if slices.Contains(d.seeds, t.Trial.Seed) && (d.changesTrials() || !d.finished[t.Trial.ID]) {
				trials++
			}
		}
		if trials > 0 && !e.OverMemory {
			visit(l, rung, e, trials)
		}
	}
	for i, l := range d.Ladders {
		for j, rung := range l.Rungs {
			if slices.Contains(d.ranks, rung.Rank) {
				count(l, rung, d.estimates[i].Rungs[j])
			}
		}
		if e := d.estimates[i].Reference; e != nil {
			count(l, RungPlan{Trials: l.Reference}, *e)
		}
	}
}

func (d *draft) changesTrials() bool {
	return d.validation != d.was.validation || d.steps != d.was.steps || d.length != d.was.length || d.settings != ""
}

// seconds is what all trials take together, and the longest of them.
func (d *draft) seconds() (total, longest float64) {
	d.each(func(_ LadderPlan, _ RungPlan, e RungEstimate, trials float64) {
		one := e.Startup + (e.TrialSeconds-e.EvalSeconds-e.Startup)*d.train + e.EvalSeconds*d.evaluate
		total, longest = total+one*trials, max(longest, one)
	})
	parallel := d.Parallel() * len(d.seeds) / len(d.was.seeds)
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

// offer lists what differs from what was planned.
func (d *draft) offer(seconds float64) Cheaper {
	offer, was := Cheaper{Seconds: seconds}, d.was
	var data, train, top string
	if d.validation != was.validation {
		data += fmt.Sprintf("  validation_sequences: %d\n", d.validation)
	}
	if d.length != was.length {
		data += fmt.Sprintf("  sequence_length: %d\n", d.length)
	}
	if epochs := d.given(epochsKey); d.steps != was.steps || epochs && d.length != was.length { // epochs of shorter rows have more steps
		train += fmt.Sprintf("  steps: %d\n", d.steps)
		if epochs {
			offer.Remove = []string{epochsKey}
		}
		if warmup := min(d.warmup, was.steps) * d.steps / was.steps; warmup != d.warmup {
			train += fmt.Sprintf("  warmup_steps: %d\n", warmup)
		}
	}
	if len(d.seeds) != len(was.seeds) {
		top = fmt.Sprintf("seeds: %s\n", list(d.seeds))
	}
	lora := ""
	if len(d.ranks) != len(was.ranks) {
		ranks := list(d.ranks)
		if len(d.Ladders[0].Reference) > 0 {
			ranks = strings.TrimSuffix(ranks, "]") + ", full]"
		}
		lora = fmt.Sprintf("  rank: %s\n", ranks)
	}
	offer.Grid = section("data:\n", data) + section("lora:\n", lora) + section(trainKey, train+d.settings) + top
	return offer
}

// section heads lines, if there are any.
func section(key, lines string) string {
	if lines == "" {
		return ""
	}
	return key + lines
}

func list[T any](items []T) string { return strings.ReplaceAll(fmt.Sprint(items), " ", ", ") }
