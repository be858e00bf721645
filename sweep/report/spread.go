package report

// spread is the range of what was measured over a rung's seeds. Two rungs whose spreads overlap differ by no more than
// trials of one rank do.
type spread struct {
	lo, hi float64
	known  bool
}

func (s *spread) add(v float64) {
	if !s.known {
		*s = spread{v, v, true}
		return
	}
	s.lo, s.hi = min(s.lo, v), max(s.hi, v)
}

// apart reports whether both were measured and do not overlap.
func (s spread) apart(other spread) bool {
	return s.known && other.known && (s.hi < other.lo || other.hi < s.lo)
}
