package sweep

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cheaper is a grid that fits the limits of time and tokens where the planned one gets no verdict, or the memory that stops ranks: what to
// replace.
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
	validation, steps, length int
	seeds                     []int64
	ranks                     []int
	train, evaluate           float64 // what is left of a trial's training and evaluation, as shares
}

// Cheaper halves what a grid of these ladders costs until its time and tokens fit into the limits, in this order: validation rows,
// steps, sequence length, seeds, ranks. Evaluation is taken to be as frequent, relative to the steps, and time to grow with the ids. It
// reports false where nothing reaches it, memory is what is short, or neither time nor tokens are limited.
func (r Registration) Cheaper(estimates []LadderEstimate, limits Limits, seeds []int64, jobs int) (Cheaper, bool) {
	first := r.Ladders[0]
	d := draft{
		validation: first.Corpus.ValidationSequences, steps: first.Spec().Train.Steps, length: first.Spec().Data.SequenceLength, seeds: seeds,
		train: 1, evaluate: 1,
	}
	for _, rung := range first.Rungs {
		d.ranks = append(d.ranks, rung.Rank)
	}
	if limits.Time == 0 && limits.TrialTime == 0 && limits.Tokens == 0 || estimates[0].Rungs[0].OverMemory {
		return Cheaper{}, false
	}
	before := d
	for {
		total, longest := d.seconds(r, estimates, len(seeds), jobs)
		slow := !within(total, limits.Time) || !within(longest, limits.TrialTime)
		if !slow && (limits.Tokens == 0 || d.tokens(r, estimates, len(seeds)) <= float64(limits.Tokens)) {
			return Cheaper{Seconds: total, Grid: d.yaml(before)}, true
		}
		if !d.halve(slow) {
			return Cheaper{}, false
		}
	}
}

func within(seconds float64, limit time.Duration) bool {
	return limit == 0 || seconds <= limit.Seconds()
}

// halve takes the next step down and reports whether there was one. Validation takes time, but none of the tokens that are limited.
func (d *draft) halve(slow bool) bool {
	switch {
	case slow && d.validation > leastValidation:
		less := max(leastValidation, d.validation/2)
		d.evaluate *= float64(less) / float64(d.validation)
		d.validation = less
	case d.steps > leastSteps:
		less := max(leastSteps, d.steps/2)
		d.train *= float64(less) / float64(d.steps)
		d.steps = less
	case d.length > leastLength:
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

// seconds is what all trials take together, and the longest of them.
func (d *draft) seconds(r Registration, estimates []LadderEstimate, seeds, jobs int) (total, longest float64) {
	for i, l := range r.Ladders {
		for j, rung := range l.Rungs {
			e := estimates[i].Rungs[j]
			if !slices.Contains(d.ranks, rung.Rank) || e.OverMemory {
				continue
			}
			one := e.Startup + (e.TrialSeconds-e.EvalSeconds-e.Startup)*d.train + e.EvalSeconds*d.evaluate
			total += one * float64(e.Trials) * float64(len(d.seeds)) / float64(seeds)
			longest = max(longest, one)
		}
	}
	parallel := r.Parallel() * len(d.seeds) / seeds
	return total / float64(max(1, min(jobs, parallel))), longest
}

// tokens are those that all trials train on together.
func (d *draft) tokens(r Registration, estimates []LadderEstimate, seeds int) (total float64) {
	for i, l := range r.Ladders {
		for j, rung := range l.Rungs {
			if slices.Contains(d.ranks, rung.Rank) && !estimates[i].Rungs[j].OverMemory {
				each := float64(l.Tokens(rung.Trials[0].Trial.Spec())) * d.train
				total += each * float64(len(rung.Trials)) * float64(len(d.seeds)) / float64(seeds)
			}
		}
	}
	return total
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
	if d.steps != before.steps {
		fmt.Fprintf(&b, "train:\n  steps: %d\n", d.steps)
	}
	if len(d.seeds) != len(before.seeds) {
		fmt.Fprintf(&b, "seeds: %s\n", list(d.seeds))
	}
	return b.String()
}

func list[T any](items []T) string { return strings.ReplaceAll(fmt.Sprint(items), " ", ", ") }
