package sweep

import (
	"math"

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
	trials  int     // left to train
	seconds float64 // of one
}

// amount is a number of trials and their time.
type amount struct{ trials, seconds float64 }

func (a *amount) add(r rungCost, share float64) {
	a.trials += share * float64(r.trials)
	a.seconds += share * float64(r.trials) * r.seconds
}

// Protocols says what each protocol takes, expected and at most. Which rank a ladder's answer will be is not known before: the
// expectation is the mean over all of them. A ladder whose answer is its k-th rank climbs patience ranks further. A scout trains one trial
// of the largest rank for each candidate, then the rank it points to, one below and patience above; at most, all of the ladder. Races and
// seeds that a rung can do without save more, verdicts that stay open cost more. estimates are nil where nothing was measured.
func (r Registration) Protocols(estimates [][]RungEstimate, finished map[trial.ID]bool, patience, jobs int) []Protocol {
	var ladder, scout, all, probes amount
	for i, l := range r.Ladders {
		var of []RungEstimate
		if estimates != nil {
			of = estimates[i]
		}
		rungs := l.costs(of, finished)
		if len(rungs) == 0 {
			continue
		}
		top := rungs[len(rungs)-1]
		probes.add(rungCost{len(l.Rungs[0].PerCandidate()), top.seconds}, 1)
		for j, rung := range rungs {
			all.add(rung, 1)
			ladder.add(rung, climbed(j, len(rungs), patience))
			scout.add(rung, scouted(j, len(rungs), patience))
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

// climbed is the share of answers with which a ladder of so many rungs trains its j-th.
func climbed(j, rungs, patience int) float64 {
	return float64(rungs-max(0, j-patience)) / float64(rungs)
}

// scouted is the share of answers around which a scout trains the j-th rung: from patience below it to one above.
func scouted(j, rungs, patience int) float64 {
	return float64(min(rungs-1, j+1)-max(0, j-patience)+1) / float64(rungs)
}

// costs lists what the rungs take that fit into memory.
func (l LadderPlan) costs(estimates []RungEstimate, finished map[trial.ID]bool) []rungCost {
	var costs []rungCost
	for j, rung := range l.Rungs {
		c := rungCost{trials: len(rung.Trials)}
		for _, t := range rung.Trials {
			if finished[t.Trial.ID] {
				c.trials--
			}
		}
		if estimates != nil {
			if estimates[j].OverMemory {
				break
			}
			c.seconds = estimates[j].TrialSeconds
		}
		costs = append(costs, c)
	}
	return costs
}
