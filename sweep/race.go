package sweep

import (
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// heat is the ladders of a race over cells: those whose losses compare (one model, one corpus) and that climb the same ranks. They
// climb in step: none begins a rank before all that still race have finished the one below, and been compared there. So what
// the race decides depends on finished rungs alone, in whatever order their trials finished; the price is that jobs idle, or train
// seeds ahead, while the last trials of a rank run.
type heat struct {
	info      Info
	ladders   []int // indices
	standings []*standing
	racing    []bool // not out yet; those that have ended on their own terms stay, as what others must reach
	places    []place
}

// place is what a race lets a ladder do.
type place struct {
	rungs  int          // that it may climb
	racing bool         // it is in a race at all
	held   bool         // it waits for the scouts of others
	lag    *plateau.Lag // why it is out; nil where it is not
	leader int          // the ladder that lag is behind
	best   int          // the leader's largest rank, which its scout trained
}

// heats groups the ladders that race each other. A ladder that is screened does not race: it meets the others at no common rank in turn.
// Nor does one of two ranks, where nothing could be saved, or, unless scouts race, one seed, which shows nothing for certain.
func (s Snapshot) heats() [][]int {
	scouts := s.Sweep.Strategy == StrategyScout
	if !s.Sweep.Race || s.Sweep.Strategy == StrategyScreen || s.Sweep.Strategy == StrategyCurve || len(s.Sweep.Seeds) < 2 && !scouts {
		return nil
	}
	var groups [][]int
	index := map[string]int{}
	for i, l := range s.Ladders {
		key := fmt.Sprint(l.Model.Fingerprint, " ", l.Corpus.Scored(), " ", ranksOf(l.Rungs))
		at, known := index[key]
		if !known {
			at = len(groups)
			index[key], groups = at, append(groups, nil)
		}
		groups[at] = append(groups[at], i)
	}
	return slices.DeleteFunc(groups, func(g []int) bool { return len(g) < 2 || len(s.Ladders[g[0]].Rungs) < raceRungs })
}

// raceRungs is the least number of ranks of a race: two to compare at, and one to save.
const raceRungs = 3

// newHeat begins a race between ladders, given how far each gets by itself.
func newHeat(info Info, group []int, standings []*standing) heat {
	h := heat{info: info, ladders: group, standings: standings, racing: make([]bool, len(group)), places: make([]place, len(group))}
	for i := range group {
		h.racing[i], h.places[i].rungs = true, len(h.of(i).ladder.Rungs)
	}
	return h
}

// of is the standing of the heat's i-th ladder.
func (h heat) of(i int) *standing { return h.standings[h.ladders[i]] }

// run goes through the ranks that all of them have finished.
func (h heat) run() []place {
	for k := 1; k < len(h.of(0).ladder.Rungs)-1; k++ {
		if h.unfinished(k) {
			for i, racing := range h.racing {
				if racing {
					h.places[i].rungs = k + 1
				}
			}
			return h.places
		}
		h.judge(k)
	}
	return h.places
}

// unfinished reports whether some ladder that still races is yet to get past rung k, or to end.
func (h heat) unfinished(k int) bool {
	for i, racing := range h.racing {
		if s := h.of(i); racing && s.end == endNone && (len(s.counted) <= k || s.lacks(k)) {
			return true
		}
	}
	return false
}

// judge takes those out of the race that rung k and the one below show to be behind.
func (h heat) judge(k int) {
	var racers []plateau.Racer
	var numbers []int
	for i, racing := range h.racing {
		if !racing {
			continue
		}
		if r, ok := h.of(i).racer(k, h.info.Rule.Patience); ok {
			racers, numbers = append(racers, r), append(numbers, i)
		}
	}
	rungs := h.of(0).ladder.Rungs
	comparisons := (len(h.ladders) - 1) * (len(rungs) - raceRungs + 1)
	for j, lag := range ruleOf(h.info, h.of(0).ladder).Race(racers, rungs[len(rungs)-1].Rank, comparisons) {
		if lag != nil {
			i := numbers[j]
			h.racing[i], h.places[i] = false, place{rungs: k + 1, lag: lag, leader: h.ladders[numbers[lag.Leader]]}
		}
	}
}

// racer is what a ladder shows at rung k and the one below. One that ended before shows the rank it recommends. It is tested where it
// would climb on: a ladder whose patience ran out there comes to its own verdict. A rung that diverged shows nothing.
func (s *standing) racer(k, patience int) (plateau.Racer, bool) {
	if len(s.counted) == 0 {
		return plateau.Racer{}, false
	}
	before, last, losses := k-1, k, func(r int) plateau.Losses { return s.climb.AsOf(k, r) }
	if len(s.counted) <= k {
		rank := s.climb.Verdict().RecommendedRank
		last = slices.IndexFunc(s.climb.Rungs, func(r plateau.Losses) bool { return r.Rank == rank })
		before, losses = last, func(r int) plateau.Losses { return s.climb.Rungs[r] }
	}
	for _, i := range []int{before, last} {
		if s.chosen[i].diverged(s.climb.MinGain, s.ladder.guessing()) {
			return plateau.Racer{}, false
		}
	}
	return plateau.Racer{
		Before: losses(before), Last: losses(last), MinGain: s.climb.MinGain,
		Tested: last == k && s.climb.Rows[k].Count < patience,
	}, true
}

// race holds the ladders of the races back, and takes out those that are behind.
func (s Snapshot) race(heats [][]int, standings []*standing) []place {
	var places []place
	for _, group := range heats {
		if places == nil {
			places = make([]place, len(s.Ladders))
			for i, l := range s.Ladders {
				places[i].rungs = len(l.Rungs)
			}
		}
		heat := newHeat(s.Sweep, group, standings)
		run := heat.run
		if s.Sweep.Strategy == StrategyScout {
			run = heat.scout
		}
		for i, p := range run() {
			p.racing = true
			places[group[i]] = p
		}
	}
	return places
}

// lacks reports whether the ladder waits for further seeds of the grid at rung k, its last.
func (s *standing) lacks(k int) bool {
	return len(s.counted) == k+1 && s.climb.Draw != nil && s.climb.Draw.Grid
}

// within is the standing of a ladder as far as a race allows it to go.
func (s *standing) within(p place, all Snapshot, ladder int, q plateau.Quantiles) *standing {
	switch {
	case all.Sweep.Strategy == StrategyScout && (p.held || p.lag != nil):
		return s.scoutedOnly(p, all, ladder, q)
	case s.current < p.rungs:
		racer := *s
		racer.racing = p.racing
		return &racer
	}
	short := walk(all.Sweep, all.Ladders[ladder], 0, p.rungs, q)
	if p.lag != nil {
		short.held, short.end, short.lag, short.leader = false, endOutraced, p.lag, all.Ladders[p.leader]
	}
	return &short
}

// adviseRace says what the race saved.
func (s standing) adviseRace() plateau.Code {
	if len(s.counted) == 0 {
		return plateau.AdviseRaceScouts
	}
	return plateau.AdviseRace
}

// reasonOutraced says which ladder a ladder is behind, and by how much.
func (s standing) reasonOutraced(info Info) plateau.Finding {
	if len(s.counted) == 0 {
		return s.reasonOutscouted(info)
	}
	last := len(s.counted) - 1
	return plateau.Finding{
		Code: plateau.ReasonOutraced, Ranks: []int{s.rung(last - 1).Rank, s.rung(last).Rank}, Values: s.lag.Behind, Gain: &s.lag.Left,
		Of: s.ladder.Rungs[len(s.ladder.Rungs)-1].Rank, Value: info.Rule.Confidence, Count: s.leader.Index + 1,
		Name: s.leader.Cell.Axes().String(),
	}
}
