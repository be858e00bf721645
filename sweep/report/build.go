package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Build computes the report of a snapshot, verdicts included. It is pure: the same facts give the same report.
func Build(s sweep.Snapshot) Report { return BuildOn(s, sweep.Conclude(s).Verdicts) }

// BuildOn is Build for one that knows what Conclude says of the snapshot.
func BuildOn(s sweep.Snapshot, verdicts []plateau.Verdict) Report {
	r := Report{
		Sweep:    s.Sweep.Name,
		Ladders:  []Ladder{},
		Rule:     newRule(s.Sweep),
		Seeds:    notNil(s.Sweep.Seeds),
		Backend:  s.Sweep.Backend,
		Warnings: notNil(s.Sweep.Warnings),
	}
	r.Shell.Sweep = r.Sweep
	if s.Sweep.GridPath != "" {
		r.Shell.Grid = filepath.Base(s.Sweep.GridPath)
	}
	if s.Sweep.Strategy != sweep.StrategyLadder {
		r.Strategy = s.Sweep.Strategy
	}
	for i, l := range s.Ladders {
		r.Ladders = append(r.Ladders, newLadder(l, s.Sweep, verdicts[i]))
	}
	if len(s.Ladders) > 1 {
		r.Steps = new(Steps)
		for i, l := range s.Ladders {
			of := newSteps(l, l.Needed(verdicts[i], s.Sweep), verdicts[i])
			r.Steps.Spent, r.Steps.Exhaustive = r.Steps.Spent+of.Spent, r.Steps.Exhaustive+of.Exhaustive
		}
	}
	r.Recommendation = recommend(r)
	r.Axes = axes(r.Ladders, r.Recommendation)
	r.Warnings = append(r.Warnings, slices.Concat(incomparable(r.Ladders), unseen(r.Ladders), halved(r.Ladders))...)
	return r
}

func newRule(info sweep.Info) Rule {
	p := info.Rule
	return Rule{
		Patience: p.Patience, Confidence: p.Confidence, Stop: p.Stop, NoiseSD: p.NoiseSD, NoiseSource: p.NoiseSource,
		SeedsPerRank: cmp.Or(p.SeedsPerRank, plateau.EverySeed), minGain: p.MinGain, seeds: len(info.Seeds),
		given: p.NoiseSD > 0 && (p.NoiseSource == plateau.NoiseFromGrid || p.NoiseSource == plateau.NoiseFromFlag),
	}
}

func newLadder(whole sweep.Ladder, info sweep.Info, v plateau.Verdict) Ladder {
	l, rule := whole.Needed(v, info), info.Rule
	out := Ladder{Number: l.Index + 1, Cell: Cell(l.Cell), Verdict: newVerdict(v), Rungs: []Rung{}, NotStarted: []int{}}
	out.id, out.baseParams, out.corpus, out.modules = l.ID, l.Model.Params, l.Corpus.Scored(), l.Model.Modules
	out.data = l.Corpus
	judged := map[int]plateau.RungVerdict{}
	for _, rv := range v.Rungs {
		judged[rv.Rank] = rv
	}
	for _, rung := range l.Rungs {
		screened := v.Screening.Loss(rung.Rank)
		if !started(rung) {
			out.NotStarted = append(out.NotStarted, rung.Rank)
			if screened == nil {
				continue
			}
		}
		row := newRung(l, rung, judged)
		if v.Leads() && rung.Rank == v.RecommendedRank {
			row.ValLoss = &plateau.Interval{Mean: stat.Mean(rung.Losses().ValLoss, nil)}
		}
		row.partial = row.Seeds < len(info.Seeds)
		row.ScreenedLoss, row.started, row.Diverged = screened, started(rung), slices.Contains(v.DivergedRanks, rung.Rank)
		out.Rungs = append(out.Rungs, row)
	}
	loosen(out.Rungs)
	for _, t := range l.Scouts {
		out.scouts = append(out.scouts, newTrial(t))
	}
	out.Verdict.Screening = newScreening(whole, l, v)
	out.Reference = newReference(l, out.Rungs, v, rule)
	out.Conditions = conditions(out, l)
	out.Metrics = metrics(l, rule, v)
	out.Noise = noiseSeen(l, judged)
	return out
}

func started(r sweep.Rung) bool {
	return slices.ContainsFunc(r.Trials, func(t sweep.TrialFacts) bool { return len(t.Attempts) > 0 })
}

func newVerdict(v plateau.Verdict) Verdict {
	out := Verdict{
		State:           v.State,
		RecommendedRank: nonZero(v.RecommendedRank),
		IncumbentRank:   nonZero(v.IncumbentRank),
		BestRank:        nonZero(v.BestRank),
		EquivalentRanks: notNil(v.EquivalentRanks),
		Probability:     v.Probability,
		SeedsToCertify:  v.SeedsToCertify,
		Next:            v.Next,
		MinGain:         nonZero(v.MinGain),
		Code:            v.Reason.Code,
		Reason:          prose.Reason(v),
		Outraced:        newOutraced(v),
		Advice:          prose.Advice(v),
		AdviceCodes:     AdviceCodes(v),
		Flags:           notNil(v.Flags),
		Choice:          prose.Choice(v),
		found:           v,
	}
	if out.Choice != "" {
		out.ChoiceCode = v.Choice.Code
	}
	return out
}

// AdviceCodes names each piece of a verdict's advice, in the order of prose.Advice.
func AdviceCodes(v plateau.Verdict) []plateau.Code {
	out := make([]plateau.Code, len(v.Advice))
	for i, f := range v.Advice {
		out[i] = f.Code
	}
	return out
}

func newRung(l sweep.Ladder, r sweep.Rung, judged map[int]plateau.RungVerdict) Rung {
	out := Rung{Rank: r.Rank, Tuned: Cell{}, Trials: []Trial{}}
	stands := r.ChosenRung().Trials
	if len(stands) > 0 {
		out.lora = stands[0].Trial.Spec().LoRA
		out.Alpha, out.Scaling = out.lora.Alpha, out.lora.Scaling()
	}
	for _, t := range stands {
		out.Trials = append(out.Trials, newTrial(t))
	}
	if c, ok := r.Chosen(); ok && len(l.Candidates) > 0 {
		out.Tuned, out.edges = Cell(l.Candidates[c]), l.Edges(c)
	}
	out.Candidates = newCandidates(l, r)
	out.Cost = cost(out.Trials)
	all, extra := seedsWithLoss(out.Trials)
	out.Seeds = all - extra
	rv, ok := judged[r.Rank]
	if !ok {
		return out
	}
	out.judged = &rv
	out.ValLoss, out.Gain, out.Decision, out.Count = &rv.ValLoss, rv.Gain, &rv.Decision, &rv.Count
	if rv.Gain != nil {
		out.Incumbent, out.Probability = &rv.Incumbent, rv.Probability
	}
	return out
}

// newCandidates lists what a rung was tuned over.
func newCandidates(l sweep.Ladder, r sweep.Rung) []Candidate {
	chosen, ok := r.Chosen()
	var out []Candidate
	for c, tuned := range l.Candidates {
		candidate := Candidate{Tuned: Cell(tuned), Chosen: ok && c == chosen, Trials: []Trial{}}
		var losses []float64
		for _, t := range r.Trials {
			if t.Candidate != c {
				continue
			}
			trial := newTrial(t)
			candidate.Trials = append(candidate.Trials, trial)
			if trial.ValLoss != nil && !t.Extra {
				losses = append(losses, *trial.ValLoss)
			}
		}
		if len(losses) > 0 {
			candidate.ValLoss = new(stat.Mean(losses, nil))
		}
		out = append(out, candidate)
	}
	return out
}

func newTrial(t sweep.TrialFacts) Trial {
	out := Trial{
		ID:              t.Trial.ID,
		Seed:            t.Trial.Seed,
		Extra:           t.Extra,
		State:           t.State(),
		PeakHostBytes:   t.Memory.PeakHostBytes,
		PeakDeviceBytes: t.Memory.PeakDeviceBytes,
		TrainableParams: nonZero(t.TrainableParams),
	}
	if t.Prediction != nil {
		out.PredictedBytes = &t.Prediction.PredictedBytes
	}
	if n := len(t.Attempts); n > 0 && out.State != sweep.TrialDone && t.Attempts[n-1].Outcome != nil {
		out.Cause = t.Attempts[n-1].Outcome.Cause
	}
	o := t.Final()
	if o == nil {
		if out.State.Lost() {
			out.Error, _ = t.Failure()
		}
		return out
	}
	out.MicroBatch = o.MicroBatch
	if o.State != trial.OutcomeDone {
		out.Error = o.Error
		return out
	}
	out.ValLoss, out.TrainLoss, out.Measures, out.Forgetting = o.ValLoss, o.TrainLoss, t.Best().Measures, o.Forgetting()
	out.RetainLoss = o.RetainLoss
	out.BestStep, out.Tokens, out.TrainSeconds = &o.BestStep, &o.Tokens, &o.TrainSeconds
	var evaluating float64
	for _, e := range t.Evaluations {
		evaluating += e.Seconds
	}
	if evaluating > 0 {
		out.EvalSeconds = &evaluating
	}
	return out
}

func cost(trials []Trial) Cost {
	var c Cost
	var times, evaluating []float64
	for _, t := range trials {
		if t.TrainableParams != nil {
			c.TrainableParams = *t.TrainableParams
		}
		before := c.peak()
		c.PeakHostBytes = largest(c.PeakHostBytes, t.PeakHostBytes)
		c.PeakDeviceBytes = largest(c.PeakDeviceBytes, t.PeakDeviceBytes)
		if c.peak() != before {
			c.PredictedBytes = t.PredictedBytes
		}
		if t.PeakHostBytes != nil {
			c.host.add(float64(*t.PeakHostBytes))
		}
		if t.PeakDeviceBytes != nil {
			c.device.add(float64(*t.PeakDeviceBytes))
		}
		if t.TrainSeconds != nil {
			c.seconds.add(*t.TrainSeconds)
			times = append(times, *t.TrainSeconds)
		}
		if t.EvalSeconds != nil {
			evaluating = append(evaluating, *t.EvalSeconds)
		}
	}
	if len(times) > 0 {
		c.TrainSeconds = new(stat.Mean(times, nil))
	}
	if len(evaluating) > 0 {
		c.EvalSeconds = new(stat.Mean(evaluating, nil))
	}
	return c
}

// largest ignores nil.
func largest(a, b *int64) *int64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// conditions takes alpha's policy from the cell, where "2r" is still a policy, and the rest from the trials.
func conditions(out Ladder, l sweep.Ladder) Conditions {
	var c Conditions
	if spec, ok := standing(out, l); ok {
		c = Conditions{
			Alpha: strconv.FormatFloat(spec.LoRA.Alpha, 'g', -1, 64), Scaling: "alpha/r",
			LearningRate: spec.Train.LearningRate, Scheduler: spec.Train.LRSchedulerType, Steps: spec.Train.Steps,
			Epochs: spec.Train.EpochsAt(spec.Train.Steps, l.Corpus.TrainSequences), InitAdapter: spec.LoRA.InitAdapter,
		}
		if spec.LoRA.UseRSLoRA {
			c.Scaling = "alpha/sqrt(r)"
		}
	}
	if policy := Cell(l.Cell).value("alpha"); policy != "" {
		c.Alpha = policy
	}
	if len(l.Candidates) > 0 {
		for _, s := range l.Candidates[0] {
			c.Tuned = append(c.Tuned, s.Name)
		}
	}
	c.untrained = "no trial finished yet"
	if out.Verdict.Screening != nil {
		c.untrained = "no rank trained"
		if out.Verdict.State == plateau.StateRunning {
			c.untrained += " yet"
		}
	}
	for _, rung := range out.Rungs {
		for _, t := range rung.Trials {
			if t.Tokens != nil {
				c.Tokens = max(c.Tokens, *t.Tokens)
			}
		}
	}
	return c
}

// standing is the spec of a trial of the recommended rung, or of the first while there is none.
func standing(out Ladder, l sweep.Ladder) (trial.Spec, bool) {
	for i, r := range l.Rungs {
		if rank := out.Verdict.RecommendedRank; (rank == nil && i == 0 || rank != nil && r.Rank == *rank) && len(r.Trials) > 0 {
			return r.ChosenRung().Trials[0].Trial.Spec(), true
		}
	}
	return trial.Spec{}, false
}

// nonZero returns nil for a zero that means "none".
func nonZero[T int | int64 | float64](v T) *T {
	if v == 0 {
		return nil
	}
	return &v
}

// notNil makes JSON write [] for none.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return slices.Clone(s)
}

// halved warns of trials that ran out of memory with whole batches and trained on parts of them.
func halved(ladders []Ladder) []string {
	var all []string
	for _, l := range ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				if t.MicroBatch > 0 && t.ValLoss != nil {
					all = append(all, fmt.Sprintf("rank %d, seed %d (trial %s) ran out of memory with whole batches and trained on %d sequences at a "+
						"time, accumulated to the same step: its losses are those of whole batches but for rounding", r.Rank, t.Seed, t.ID, t.MicroBatch))
				}
			}
		}
	}
	return all
}
