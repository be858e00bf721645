package sweep

// ending says why a ladder goes no further.
type ending int

const (
	endNone       ending = iota // it goes on with the current rung
	endRule                     // patience ran out
	endRanks                    // no rank is left
	endFailed                   // trials of the current rung failed for good
	endUnstable                 // NaN in more than half of the current rung's seeds
	endOverMemory               // the current rung does not fit
	endOverTime                 // the current rung's trials take too long
)

// standing is how far a ladder has come: the rungs that count, and the one that is worked on or ended it.
type standing struct {
	ladder  Ladder
	climb   *climb // over the rungs that count
	counted int    // how many do: Rungs[:counted]
	current int    // index of the rung worked on, or of the one that ended the ladder early
	end     ending
	closed  bool // the current rung starts no trial that has not begun
}

// stand walks a ladder up to where its facts end. It never looks past the rung where the rule stops, so what another ladder
// trained there changes nothing.
func stand(rule Plateau, l Ladder) standing {
	s := standing{ladder: l, climb: newClimb(rule)}
	for i, rung := range l.Rungs {
		s.current = i
		s.end, s.closed = rung.ending()
		if s.end != endRanks {
			return s
		}
		s.climb.add(rung.Losses())
		s.counted = i + 1
		if s.climb.draw != nil {
			s.end = endNone
			return s
		}
		if s.climb.stopped {
			s.end = endRule
			return s
		}
	}
	s.end = endRanks
	return s
}

// ending says how a rung leaves its ladder: endNone while it is worked on, endRanks when it counts and the next may begin.
// A rung is finished whole, whatever its first trials say, so that a report does not depend on which seed was the quickest.
// Only where memory or time ran out does it close: what has not begun would meet the same end at the same cost.
func (r Rung) ending() (end ending, closed bool) {
	n := map[trialState]int{}
	begun := 0
	for _, t := range r.Trials {
		state := t.state()
		n[state]++
		if state == trialPending && len(t.Attempts) > 0 {
			begun++
		}
	}
	closed = n[trialOverMemory]+n[trialOverTime] > 0
	switch {
	case begun > 0, n[trialPending] > 0 && !closed:
		return endNone, closed
	case n[trialFailed] > 0:
		return endFailed, closed
	case 2*n[trialUnstable] > len(r.Trials):
		return endUnstable, closed
	case n[trialOverMemory] > 0:
		return endOverMemory, closed
	case n[trialOverTime] > 0:
		return endOverTime, closed
	}
	return endRanks, closed
}

// timeIsUp reports whether limits.time has run out.
func (i Info) timeIsUp() bool { return i.Limits.Time > 0 && i.Elapsed >= i.Limits.Time }
