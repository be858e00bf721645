package report

// spread is the range of what was measured over a rung's seeds, and by how much more trials of one rank are known to differ.
type spread struct {
	lo, hi float64
	slack  float64
	known  bool
}

// remeasured is the share by which the peak of a process, or the time of a trial, differs between two runs of the same trial
// (experiments/LOG.md: 5 %). The peak that a GPU's allocator counts does not.
const remeasured = 0.05

func (s *spread) add(v float64) {
	if !s.known {
		*s = spread{lo: v, hi: v, known: true}
		return
	}
	s.lo, s.hi = min(s.lo, v), max(s.hi, v)
}

// apart reports whether both were measured and differ by more than trials of one rank do.
func (s spread) apart(other spread) bool {
	slack := max(s.slack, other.slack)
	return s.known && other.known && (s.hi+slack < other.lo || other.hi+slack < s.lo)
}

// loosen lets rungs differ by as much as the trials of any one of them do: seeds of one rank may by chance have been measured alike.
func loosen(rungs []Rung) {
	for _, of := range []struct {
		spread func(*Cost) *spread
		share  float64
	}{
		{func(c *Cost) *spread { return &c.host }, remeasured},
		{func(c *Cost) *spread { return &c.device }, 0},
		{func(c *Cost) *spread { return &c.seconds }, remeasured},
	} {
		widest := 0.0
		for i := range rungs {
			s := of.spread(&rungs[i].Cost)
			widest = max(widest, s.hi-s.lo, of.share*s.lo)
		}
		for i := range rungs {
			of.spread(&rungs[i].Cost).slack = widest
		}
	}
}
