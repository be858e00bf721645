package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Registration is a sweep whose inputs have been read: what Store.Register writes at once.
type Registration struct {
	Backend     string
	Platform    string
	PluginPath  string
	NoiseSD     float64 // resolved once; 0 means 0.25 % of the lowest rank's loss
	NoiseSource string  // grid, sweep <name>, or default
	Ladders     []LadderPlan
	Warnings    []string
}

// LadderPlan is a ladder that a grid expands to, with all its trials.
type LadderPlan struct {
	Cell       Cell
	Model      trial.ModelInfo
	Corpus     trial.CorpusInfo // empty until the data is read
	Candidates []Cell           // empty where nothing is tuned
	Rungs      []RungPlan       // ranks ascending, at least one
	Reference  []PlannedTrial   // of full fine-tuning, candidate by candidate (its learning rates), each over the sweep's seeds
}

// RungPlan is the trials of one rank: candidate by candidate, each over the sweep's seeds in their order.
type RungPlan struct {
	Rank   int
	Trials []PlannedTrial
}

// PlannedTrial is a trial at its place in a rung. Its ID is empty until the inputs of its ladder are known: see LadderPlan.On.
type PlannedTrial struct {
	Candidate int // index into the ladder's candidates; 0 where nothing is tuned
	Trial     trial.Brief
}

// On gives the trials their steps and their identity on a corpus, an adapter to start from (its content's SHA-256; empty for none) and a
// backend.
func (l LadderPlan) On(corpus trial.CorpusInfo, start, backend string) LadderPlan {
	l.Corpus = corpus
	families := map[*trial.Shared]trial.Family{}
	on := func(trials []PlannedTrial, start string) []PlannedTrial {
		trials = slices.Clone(trials)
		for i, t := range trials {
			family, known := families[t.Trial.Shared]
			if !known {
				s := &trial.Shared{Spec: t.Trial.Shared.Spec, Base: l.Model.Fingerprint, Data: corpus.Fingerprint, Backend: backend}
				s.Spec.LoRA.InitAdapterSHA256 = start
				s.Spec.Train = s.Spec.Train.OnRows(corpus.TrainSequences)
				family = s.Family()
				families[t.Trial.Shared] = family
			}
			trials[i].Trial = family.With(t.Trial.Rank, t.Trial.Alpha, t.Trial.Seed)
		}
		return trials
	}
	l.Rungs = slices.Clone(l.Rungs)
	for i, r := range l.Rungs {
		l.Rungs[i].Trials = on(r.Trials, start)
	}
	l.Reference = on(l.Reference, "")
	return l
}

// Spec is that of the ladder's first trial. Model, data and the adapter to start from are the same in all of them.
func (l LadderPlan) Spec() trial.Spec { return l.Rungs[0].Trials[0].Trial.Spec() }

// PerCandidate returns the first trial of each candidate, in their order: one speaks for all seeds.
func (r RungPlan) PerCandidate() []trial.Trial {
	var first []trial.Trial
	for _, t := range r.Trials {
		if t.Candidate == len(first) {
			first = append(first, t.Trial.Trial())
		}
	}
	return first
}

// Specs are those of the rung's trials.
func (r RungPlan) Specs() []trial.Spec {
	specs := make([]trial.Spec, len(r.Trials))
	for i, t := range r.Trials {
		specs[i] = t.Trial.Spec()
	}
	return specs
}

// Tokens is how many supervised tokens a trial trains on: by the mean of a row where the data was read, else at most, every id of full
// rows but the first. It is 0 for epochs of data that was not read.
func (l LadderPlan) Tokens(s trial.Spec) int64 {
	rows := int64(s.Train.Steps) * int64(s.Train.RowsPerStep())
	if all := int64(l.Corpus.TrainSequences); all > 0 && l.Corpus.TrainTokens > 0 {
		return int64(float64(rows)*float64(l.Corpus.TrainTokens)/float64(all) + 0.5)
	}
	return rows * int64(s.Data.SequenceLength-1)
}
