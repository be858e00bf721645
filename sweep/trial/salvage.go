package trial

import "bytes"

// Salvage puts an attempt's events together again: the lines of its log that are as they were written, and where one is missing, what else
// is known of it, by number. What follows the first that neither has is left out. whole reports that nothing the log said is lost.
func Salvage(log []byte, known []Event) (events []Event, whole bool) {
	s := salvaged{known: make(map[int64]Event, len(known))}
	for _, e := range known {
		s.known[e.Seq] = e
	}
	unread := 0 // lines since the last good one
	for line := range bytes.Lines(log) {
		if s.ended() {
			break
		}
		e, err := unmarshalEvent(line)
		if err != nil || e.Seq <= s.last() {
			if bytes.HasSuffix(line, []byte("\n")) { // else a crash tore it
				unread++
			}
			continue
		}
		s.fill(e.Seq)
		if e.Seq != s.last()+1 {
			return s.events, s.ended()
		}
		s.events, unread = append(s.events, e), 0
	}
	good := len(s.events)
	s.fill(1 << 62)
	return s.events, s.ended() || len(s.events)-good >= unread
}

// salvaged are the first events of an attempt, each one after the other.
type salvaged struct {
	events []Event
	known  map[int64]Event
}

func (s *salvaged) last() int64 { return int64(len(s.events)) }

func (s *salvaged) ended() bool {
	return len(s.events) > 0 && s.events[len(s.events)-1].Kind == EventEnded
}

// fill adds what is known up to before a number.
func (s *salvaged) fill(to int64) {
	for !s.ended() && s.last()+1 < to {
		e, ok := s.known[s.last()+1]
		if !ok {
			return
		}
		s.events = append(s.events, e)
	}
}
