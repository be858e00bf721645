package plateau

import (
	"math"
	"strconv"
	"strings"
)

// Version counts the releases of the plateau rule whose verdicts differ: it is stored with every verdict.
const Version = 4

// StopMode says what lets a ladder stop before its last rank.
type StopMode string

// The modes.
const (
	StopLikely    StopMode = "likely"    // stops where a plateau is likely enough, and never draws extra seeds
	StopCertified StopMode = "certified" // draws seeds where a stop cannot be certified, and climbs on if that does not help
)

// Rule is the rule that decides when climbing stops paying. The zero value is not usable: see DefaultRule.
type Rule struct {
	MinGain    MinGain
	Patience   int     // rungs without a worthwhile gain before the ladder stops
	Confidence float64 // of the claims; α = 1 − Confidence, every bound is one-sided at α/2
	Stop       StopMode
	// GridSeeds are the seeds that every rung is trained with. Others were drawn to certify: they count where the rule asked
	// for them and nowhere else. Empty means that all seeds given are the grid's.
	GridSeeds []int64
	// SeedsPerRank says whether every rank is trained with all of GridSeeds, or with as many as its decision needs.
	SeedsPerRank SeedsPerRank
	MaxSeeds     int  // grid seeds and drawn ones together; 0 means twice the grid's
	Confirm      bool // draw seeds for likely plateaus whatever Stop is, also where the ladder ended on one: sweep confirm
	// NoiseSD is the standard deviation of one validation loss after removing what seeds share, in nats. It is used only
	// where a rung has one seed. 0 means 0.25 % of the lowest rank's loss.
	NoiseSD     float64
	NoiseSource string // one of the constants below, or "sweep <name>"
	// Maximize says that higher values are better (accuracy): sweep plateau --direction max.
	Maximize bool
}

// MinGain is the smallest gain worth a higher rank: nats, or a fraction of the lowest rank's mean loss.
type MinGain struct {
	Value    float64
	Relative bool
}

// Where NoiseSD comes from, beside "sweep <name>".
const (
	NoiseFromGrid = "grid"       // a person gave it
	NoiseFromFlag = "--noise-sd" // likewise, on the command line
	NoiseDefault  = "default"    // 0.25 % of the lowest rank's loss
)

// DefaultRule is the rule of a grid that says nothing else.
func DefaultRule() Rule {
	return Rule{MinGain: MinGain{Value: 0.005, Relative: true}, Patience: 2, Confidence: 0.95, Stop: StopLikely, SeedsPerRank: EverySeed}
}

// Losses is what one rung has measured, for Judge: parallel slices, one entry per finished seed.
type Losses struct {
	Rank     int
	Seeds    []int64
	ValLoss  []float64
	Train    []float64 // train_loss per seed; nil where unknown
	Last     []float64 // validation loss at the last step; nil where unknown
	Complete bool      // every seed of the grid has a loss
	Lost     []int64   // seeds whose trials ended without a loss: the rule does not ask for them again
}

// SeedLimit is how many seeds per rank the rule may have in all where the grid has so many.
func (p Rule) SeedLimit(grid int) int {
	if p.MaxSeeds == 0 {
		return 2 * grid
	}
	return p.MaxSeeds
}

// ParseMinGain reads what String writes: a number, or a share with % behind it. Whether the gain makes sense, Rule.Validate says.
func ParseMinGain(text string) (MinGain, error) {
	number, relative := strings.CutSuffix(text, "%")
	value, err := strconv.ParseFloat(number, 64)
	if relative {
		value /= 100
	}
	return MinGain{Value: value, Relative: relative}, err
}

// String writes the gain as a grid does: nats bare, a share in percent.
func (m MinGain) String() string {
	if !m.Relative {
		return strconv.FormatFloat(m.Value, 'g', -1, 64)
	}
	percent := m.Value * 100
	if rounded := math.Round(percent*1e9) / 1e9; math.Abs(rounded-percent) < 1e-12 {
		percent = rounded // 0.7% is kept as 0.006999…
	}
	return strconv.FormatFloat(percent, 'g', -1, 64) + "%"
}
