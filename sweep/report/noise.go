package report

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Noise is what seeds really differed by on a ladder, over its judged rungs and the seeds they share.
type Noise struct {
	SeedSD   float64 `json:"seed_sd"`   // of one val_loss over the seeds of a rank, nats
	PairedSD float64 `json:"paired_sd"` // of one val_loss once what seeds share is removed, nats: what gains are judged by
	// Ratio is the variance of the one over the other: how many times the seeds unpaired ranks would need for the same
	// certainty. About 1 means that pairing gained nothing; nil where paired differences are all the same.
	Ratio *float64 `json:"ratio"`
	Ranks int      `json:"ranks"`
}

// noiseSeen is the noise of a ladder's judged rungs.
func noiseSeen(l sweep.Ladder, judged map[int]plateau.RungVerdict) *Noise {
	var rungs []plateau.Losses
	for _, r := range l.Rungs {
		if _, ok := judged[r.Rank]; ok {
			rungs = append(rungs, r.Losses())
		}
	}
	return NoiseOf(rungs)
}

// agreement is the share of the seeds' standard deviation below which paired differences are the same but for rounding.
const agreement = 1e-6

// NoiseOf measures the noise of rungs; nil where fewer than two of them share two seeds.
func NoiseOf(rungs []plateau.Losses) *Noise {
	seed, ok := plateau.SeedSD(rungs)
	paired, _ := plateau.ResidualSD(rungs)
	if !ok {
		return nil
	}
	n := &Noise{SeedSD: seed, PairedSD: paired, Ranks: len(rungs)}
	if paired > agreement*seed {
		n.Ratio = new(seed * seed / (paired * paired))
	}
	return n
}

// String prints the noise as the report's text does.
func (n Noise) String() string {
	over := fmt.Sprintf("a loss varies by %s over seeds, and ", number(roundTo(n.SeedSD, 2)))
	text := over + fmt.Sprintf("by %s once what they share is removed", number(roundTo(n.PairedSD, 2)))
	switch {
	case n.Ratio == nil:
		return over + "not at all once what they share is removed"
	case *n.Ratio < 1:
		return text + fmt.Sprintf(": pairing by seed gained nothing here (variance ratio %s)", number(roundTo(*n.Ratio, 2)))
	case *n.Ratio < 1.5:
		return text + fmt.Sprintf(": pairing by seed gained little here (variance ratio %s)", number(roundTo(*n.Ratio, 2)))
	}
	return text + fmt.Sprintf(": a variance ratio of %s, so unpaired ranks would need as many times the seeds", number(roundTo(*n.Ratio, 2)))
}
