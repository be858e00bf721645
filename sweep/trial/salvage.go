package trial

import (
	"bufio"
	"errors"
	"io"
)

// Salvage puts an attempt's events together again: the lines of its log that are as they were written, and where one is missing, what else
// is known of it, by number. What follows the first that neither has is left out, and what follows a line that is longer than one can be.
// whole reports that nothing the log said is lost. An error is one of reading.
func Salvage(log io.Reader, known []Event) (events []Event, whole bool, err error) {
	s := salvaged{known: make(map[int64]Event, len(known))}
	for _, e := range known {
		s.known[e.Seq] = e
	}
	unread := 0 // lines since the last good one
	lines := lineReader{r: bufio.NewReader(log)}
	for !s.ended() {
		line, more, err := lines.next()
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, false, err
		}
		if err != nil {
			unread++
			break
		}
		e, err := unmarshalEvent(line)
		if err != nil || e.Seq <= s.last() {
			if !more { // a crash tore it, or there is none
				break
			}
			unread++
			continue
		}
		s.fill(e.Seq)
		if e.Seq != s.last()+1 {
			return s.events, s.ended(), nil
		}
		s.events, unread = append(s.events, e), 0
	}
	good := len(s.events)
	s.fill(1 << 62)
	return s.events, s.ended() || len(s.events)-good >= unread, nil
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
