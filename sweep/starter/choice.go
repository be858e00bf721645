package starter

import (
	"fmt"
	"math"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Choice is a first grid.
type Choice struct {
	Facts Facts

	Ranks          []int
	SequenceLength int
	BatchSize      int
	Accumulation   int // batches per optimiser step

	GradientCheckpointing bool

	Split               float64
	ValidationSequences int
	LearningRate        float64
	Steps, EvalSteps    int
	Seeds               int

	// After Fit: what the whole sweep takes at most, a trial's peak at the highest rank, whether that fits into the time, and whether
	// memory allows no higher rank.
	Seconds       float64
	PeakBytes     int64
	Fits          bool
	MemoryLimited bool

	trainRows    int   // counted; 0 before Fit
	bytesWithout int64 // of a trial without GradientCheckpointing
}

const (
	effectiveBatch = 8    // sequences per optimiser step
	tokensAtOnce   = 4096 // in one forward pass, until something was measured
	mostRank       = 64   // LoRA's authors found little above it (Hu et al. 2021, section 7.2)
	longestRow     = 1024 // beyond it a step takes long on the machines that a first grid is for
	packedRow      = 256
	fewestRows     = 64 // of packed text, before rows are made shorter
	shortestRow    = 32
	someValidation = 128 // sequences
	epochsWanted   = 3
	fewestSteps    = 100 // in which a small model learns something
	usualSteps     = 200 // where the data are few
	mostSteps      = 1000
	budgetShare    = 0.8 // of the time, because estimates are of an idle machine
	evaluations    = 10  // after the one at the start
	fewEvaluations = 5
	evalShare      = 0.25 // of a trial's time, before evaluations become fewer, and smaller
)

// Begin chooses what needs no measurement.
func Begin(f Facts) Choice {
	c := Choice{Facts: f, Seeds: 3, Steps: fewestSteps, EvalSteps: fewestSteps / fewEvaluations, LearningRate: learningRate(f.Params)}
	for r := 1; r <= min(mostRank, f.MostRank); r *= 2 {
		c.Ranks = append(c.Ranks, r)
	}
	c.SequenceLength = sequenceLength(f)
	c.BatchSize = effectiveBatch
	for c.BatchSize > 1 && c.BatchSize*c.SequenceLength > tokensAtOnce {
		c.BatchSize /= 2
	}
	c.Accumulation = effectiveBatch / c.BatchSize
	if len(f.Validation) == 0 {
		c.Split = 0.1
		if f.Rows.Complete && c.rows() < 200 {
			c.Split = 0.2
		}
	}
	c.ValidationSequences = someValidation
	return c
}

// learningRate is where people begin: 2e-4 for models of the usual sizes (Dettmers et al. 2023, QLoRA, for up to 13B parameters), more
// for small ones (experiments/LOG.md: at 1M parameters 3e-3 was best).
func learningRate(params int64) float64 {
	switch {
	case params < 10e6:
		return 3e-3
	case params < 50e6:
		return 1e-3
	}
	return 2e-4
}

// sequenceLength holds 95 % of the rows whole, or cuts packed text into rows of a usual length.
func sequenceLength(f Facts) int {
	most := min(f.Positions, longestRow)
	if len(f.Rows.Lengths) == 0 {
		length := min(most, packedRow)
		for length > shortestRow && f.Rows.Packed < int64(fewestRows*length) {
			length /= 2
		}
		return max(length, 2)
	}
	lengths := f.Rows.Lengths
	wanted := lengths[(len(lengths)-1)*95/100]
	if longest := lengths[len(lengths)-1]; longest <= wanted+wanted/4 {
		wanted = longest
	}
	const round = 32
	return max(2, min(most, (max(wanted, shortestRow)+round-1)/round*round))
}

// rows counts the training rows, as far as they are known.
func (c Choice) rows() int {
	if c.trainRows > 0 {
		return c.trainRows
	}
	return c.Facts.Rows.Count + int(c.Facts.Rows.Packed/int64(c.SequenceLength))
}

// cut counts the rows that are longer than SequenceLength.
func (c Choice) cut() int {
	lengths := c.Facts.Rows.Lengths
	at, _ := slices.BinarySearch(lengths, c.SequenceLength+1)
	return len(lengths) - at
}

// Smaller is what to measure where no rank fits into memory: half the sequences in a forward pass, an optimiser step seeing as many as
// before, and where one is left, gradient checkpointing. ok is false where there is nothing left to try.
func (c Choice) Smaller(m Measured) (smaller Choice, ok bool) {
	switch {
	case c.BatchSize > 1:
		c.BatchSize /= 2
		c.Accumulation *= 2
	case !c.GradientCheckpointing:
		c.GradientCheckpointing, c.bytesWithout = true, m.Ends.Low.Bytes
	default:
		return c, false
	}
	return c, true
}

// Fit chooses ranks, seeds, steps and evaluations for the time there is, and drops ranks that need more memory than there is. Where
// nothing fits into the time it is the smallest grid that can say something. The error says that no rank fits into memory.
func (c Choice) Fit(m Measured) (Choice, error) {
	before := len(c.Ranks)
	c.trainRows = m.TrainRows
	c.Ranks = slices.DeleteFunc(slices.Clone(c.Ranks), func(r int) bool {
		e := m.Ends.Estimate(r)
		return e.OverMemory || e.Bytes > c.Facts.Memory
	})
	c.MemoryLimited = len(c.Ranks) < before
	if len(c.Ranks) == 0 {
		return c, fmt.Errorf("%w: one trial of rank 1 with %s needs %s, and there are %s: take a smaller model",
			trial.ErrInput, c.pass(), trial.FormatBytes(m.Ends.Low.Bytes), trial.FormatBytes(c.Facts.Memory))
	}
	options := c.options()
	for _, o := range options {
		if fitted := o.steps(m); fitted.Steps >= fewestSteps {
			fitted.Fits = true
			return fitted.priced(m), nil
		}
	}
	c = options[len(options)-1]
	c.Steps = fewestSteps
	return c.evaluated(m).priced(m), nil
}

// pass says what a forward and backward pass has.
func (c Choice) pass() string {
	sequences := "sequences"
	if c.BatchSize == 1 {
		sequences = "sequence"
	}
	text := fmt.Sprintf("%d %s of %d tokens", c.BatchSize, sequences, c.SequenceLength)
	if c.GradientCheckpointing {
		text += " and gradient checkpointing"
	}
	return text
}

// options are the grids to try, the best first: fewer ranks above, then every other rank, then fewer seeds.
func (c Choice) options() []Choice {
	var all []Choice
	for _, most := range []int{mostRank, 32, 16} {
		all = append(all, c.upTo(most, 2))
	}
	all = append(all, c.upTo(16, 4))
	few := c.upTo(16, 4)
	few.Seeds = 2
	return append(all, few)
}

// upTo takes ranks up to most, each factor times the one before.
func (c Choice) upTo(most, factor int) Choice {
	var ranks []int
	for _, r := range c.Ranks {
		if n := len(ranks); r <= most && (n == 0 || r >= factor*ranks[n-1]) {
			ranks = append(ranks, r)
		}
	}
	c.Ranks = ranks
	return c
}

// wantedSteps are those of a few epochs, within bounds.
func (c Choice) wantedSteps() int {
	steps := (epochsWanted*c.rows() + effectiveBatch - 1) / effectiveBatch
	return min(max(steps, usualSteps), mostSteps)
}

// steps takes as many as wanted, or as the time allows.
func (c Choice) steps(m Measured) Choice {
	c.Steps = c.wantedSteps()
	c = c.evaluated(m)
	over := c.priced(m).Seconds - budgetShare*c.Facts.Budget.Seconds()
	if over <= 0 {
		return c
	}
	perStep := 0.0
	for _, r := range c.Ranks {
		perStep += float64(c.Seeds) * m.Ends.Estimate(r).StepSeconds
	}
	perStep /= float64(c.parallel(m))
	c.Steps -= int(math.Ceil(over / max(perStep, 1e-9)))
	if c.Steps > 20 {
		c.Steps -= c.Steps % 10
	}
	c.Steps = max(c.Steps, 0)
	return c.evaluated(m)
}

// evaluated spaces the evaluations so that they take a fair share of the time.
func (c Choice) evaluated(m Measured) Choice {
	e := m.Ends.Low
	share := func(n int) float64 {
		evaluating := float64(n+1) * e.EvalSeconds * float64(c.ValidationSequences) / someValidation
		return evaluating / (evaluating + float64(max(c.Steps, 1))*e.StepSeconds)
	}
	n := evaluations
	if share(n) > evalShare {
		n = fewEvaluations
	}
	for c.ValidationSequences > shortestValidation && share(n) > evalShare {
		c.ValidationSequences /= 2
	}
	c.EvalSteps = max(1, (c.Steps+n-1)/n)
	return c
}

// shortestValidation is how few sequences still tell a difference.
const shortestValidation = 32

// priced says what the grid takes at most: every rank with every seed.
func (c Choice) priced(m Measured) Choice {
	c.Seconds = 0
	for _, r := range c.Ranks {
		e := m.Ends.Estimate(r)
		evaluating := float64(1+(c.Steps+c.EvalSteps-1)/c.EvalSteps) * e.EvalSeconds * float64(c.ValidationSequences) / someValidation
		c.Seconds += float64(c.Seeds) * (e.Startup + evaluating + float64(c.Steps)*e.StepSeconds)
		c.PeakBytes = max(c.PeakBytes, e.Bytes)
	}
	c.Seconds /= float64(c.parallel(m))
	return c
}

// parallel is how many trials run side by side, as far as memory lets them.
func (c Choice) parallel(m Measured) int {
	peak := max(m.Ends.Low.Bytes, m.Ends.High.Bytes, 1)
	return max(1, min(m.Jobs, c.Seeds, int(c.Facts.Memory/peak)))
}
