package sweep

import (
	"math"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Protocol is what a way to find each ladder's rank would train, of what is not finished.
type Protocol struct {
	Name            string   `json:"protocol"`         // ladder, scout or exhaustive
	ExpectedTrials  int      `json:"expected_trials"`  // if each rank of a ladder is as likely as the others to be its answer
	ExpectedSeconds *float64 `json:"expected_seconds"` // nil where nothing was measured
	MostTrials      int      `json:"most_trials"`
	MostSeconds     *float64 `json:"most_seconds"`
}

// The protocols.
const (
	ProtocolLadder     = "ladder"     // climbs from the lowest rank until patience runs out
	ProtocolScout      = "scout"      // trains the largest rank once, then around its knee; misled it climbs
	ProtocolExhaustive = "exhaustive" // every rank
)

// rungCost is what one rung takes.
type rungCost struct {
	left    []int   // trials left to train of the first so many seeds: none, one and so on to all
	seconds float64 // of one
}

// amount is a number of trials and their time.
type amount struct{ trials, seconds float64 }

func (a *amount) add(trials int, seconds, share float64) {
	a.trials += share * float64(trials)
	a.seconds += share * float64(trials) * seconds
}

// Protocols says what each protocol takes, expected and at most. Which rank a ladder's answer will be is not known before: the
// expectation is the mean over all of them. A ladder whose answer is its k-th rank climbs patience ranks further. A scout trains one trial
// of the largest rank for each candidate, if that is not the lowest one and unless it is finished, then the rank it points to, one below
// and patience above; at most, all of the ladder. Ranks from the answer on are trained with every seed, those below it with the seeds that
// they begin with. References are trained by every protocol. Races save more; verdicts that stay open, and ranks whose gain is near
// min_gain, cost more. estimates are nil where nothing was measured.
func (r Registration) Protocols(info Info, estimates []LadderEstimate, finished map[trial.ID]bool, jobs int) []Protocol {
	info.Strategy = StrategyLadder // screening needs every seed, but stands in no row
	var ladder, scout, all, probes amount
	for i, l := range r.Ladders {
		var e LadderEstimate
		if estimates != nil {
			e = estimates[i]
		}
		rungs := l.costs(e, finished)
		if len(rungs) == 0 {
			continue
		}
		c := climb{ruleOf(info, Ladder{Candidates: l.Candidates}), len(rungs) - 1}
		if c.last > 0 {
			probes.add(l.unscouted(c.last, finished), e.scoutSeconds(c.last), 1)
		}
		for answer := range rungs {
			for j, rung := range rungs {
				share := 1 / float64(len(rungs))
				ladder.add(rung.left[c.seeds(j, 0, answer)], rung.seconds, share)
				scout.add(rung.left[c.seeds(j, max(0, answer-1), answer)], rung.seconds, share)
				all.add(rung.left[len(rung.left)-1], rung.seconds, share)
			}
		}
		if left, seconds := l.referenceCost(e, finished); left > 0 {
			for _, a := range []*amount{&ladder, &scout, &all} {
				a.add(left, seconds, 1)
			}
		}
	}
	parallel := float64(max(1, min(jobs, r.Parallel())))
	plus := func(a amount) amount { return amount{a.trials + probes.trials, a.seconds + probes.seconds} }
	protocol := func(name string, expected, most amount) Protocol {
		p := Protocol{Name: name, ExpectedTrials: int(math.Round(expected.trials)), MostTrials: int(math.Round(most.trials))}
		if estimates != nil {
			p.ExpectedSeconds, p.MostSeconds = new(expected.seconds/parallel), new(most.seconds/parallel)
		}
		return p
	}
	return []Protocol{
		protocol(ProtocolLadder, ladder, all), protocol(ProtocolScout, plus(scout), plus(all)), protocol(ProtocolExhaustive, all, all),
	}
}

// Races reports whether some ladders of the sweep would race each other.
func (r Registration) Races(info Info) bool {
	return len(r.untouched(info).heats()) > 0
}

// untouched are the sweep's facts before anything is known of its trials.
func (r Registration) untouched(info Info) Snapshot {
	s := Snapshot{Sweep: info}
	for _, l := range r.Ladders {
		s.Ladders = append(s.Ladders, l.ladder())
	}
	return s
}

// First are the trials that the sweep begins with.
func (r Registration) First(info Info, c Capacity) []trial.ID {
	d := Decide(r.untouched(info), nil, c)
	var first []trial.ID
	for _, l := range d.Start {
		first = append(first, l.Trial)
	}
	for _, drawn := range d.Register {
		for _, t := range drawn.Trials {
			if len(first) < c.Jobs {
				first = append(first, t.Trial.ID)
			}
		}
	}
	return first
}

// ladder is the plan's, before anything is known of its trials.
func (l LadderPlan) ladder() Ladder {
	out := Ladder{Cell: l.Cell, Model: l.Model, Corpus: l.Corpus, Candidates: l.Candidates}
	for _, r := range l.Rungs {
		rung := Rung{Rank: r.Rank}
		for _, t := range r.Trials {
			rung.Trials = append(rung.Trials, TrialFacts{Candidate: t.Candidate, Trial: t.Trial})
		}
		out.Rungs = append(out.Rungs, rung)
	}
	return out
}

// unscouted is how many scouts of the rung with that index are left to train.
func (l LadderPlan) unscouted(top int, finished map[trial.ID]bool) int {
	return unfinished(l.ladder().scouts(top), finished)
}

// climb is a way up a ladder, of which an answer is assumed.
type climb struct {
	rule plateau.Rule
	last int // index of the last rung
}

// seeds is how many seeds the j-th rung is trained with by a climb from one rung to the answer: all where the verdict rests on them. That
// a last rank still improves rests on the one below it too.
func (c climb) seeds(j, from, answer int) int {
	switch {
	case j < from || j > answer+c.rule.Patience:
		return 0
	case j >= answer || answer == c.last && j == answer-1:
		return len(c.rule.GridSeeds)
	}
	return c.rule.Begin(j - from)
}

// costs lists what the rungs take that fit into memory.
func (l LadderPlan) costs(e LadderEstimate, finished map[trial.ID]bool) []rungCost {
	var costs []rungCost
	for j, rung := range l.Rungs {
		seeds := len(rung.Trials) / len(rung.PerCandidate())
		c := rungCost{left: make([]int, seeds+1)}
		for i, t := range rung.Trials {
			for n := i%seeds + 1; n <= seeds && !finished[t.Trial.ID]; n++ {
				c.left[n]++
			}
		}
		if e.Rungs != nil {
			if e.Rungs[j].OverMemory {
				break
			}
			c.seconds = e.Rungs[j].TrialSeconds
		}
		costs = append(costs, c)
	}
	return costs
}

// scoutSeconds is what the scout of a ladder takes whose largest rank that fits has this index: after the training, a share of its steps
// for each lower rank.
func (e LadderEstimate) scoutSeconds(top int) float64 {
	if e.Rungs == nil {
		return 0
	}
	r := e.Rungs[top]
	return r.TrialSeconds + float64(top)*(r.TrialSeconds-r.Startup)/trial.HealingShare
}

// referenceCost is how many trials of a reference are left to train, and the time of one; none where it does not fit.
func (l LadderPlan) referenceCost(e LadderEstimate, finished map[trial.ID]bool) (left int, seconds float64) {
	if e.Reference != nil {
		if e.Reference.OverMemory {
			return 0, 0
		}
		seconds = e.Reference.TrialSeconds
	}
	return unfinished(l.Reference, finished), seconds
}

func unfinished(trials []PlannedTrial, finished map[trial.ID]bool) (left int) {
	for _, t := range trials {
		if !finished[t.Trial.ID] {
			left++
		}
	}
	return left
}
