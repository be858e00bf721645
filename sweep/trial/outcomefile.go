package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// OutcomeFile says how an attempt ended whose worker could not: an Event of the coordinator, after the worker's own.
const OutcomeFile = "outcome.json"

// WriteOutcome writes the coordinator's word on an attempt that ended without one.
func WriteOutcome(dir string, e Event) error {
	e.Attempt = AttemptOf(dir)
	return WriteSealed(filepath.Join(dir, OutcomeFile), e)
}

// ReadOutcome reads what WriteOutcome wrote; nil where there is none.
func ReadOutcome(dir string) (*Event, error) {
	path := filepath.Join(dir, OutcomeFile)
	var e Event
	err := ReadSealed(path, &e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if e.Kind != EventEnded || e.Outcome == nil {
		return nil, fmt.Errorf("read %s: %w: it is no outcome", path, ErrDamaged)
	}
	if err := AttemptOf(dir).owns(e); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &e, nil
}

// WithOutcome returns a worker's events, in order, with the coordinator's word on how the attempt ended, if it has one: after them where
// they do not end with one, or in the place of the worker's own.
func WithOutcome(events []Event, last *Event) []Event {
	n := len(events)
	switch {
	case last == nil:
	case n > 0 && events[n-1].Kind == EventEnded:
		if events[n-1].Seq == last.Seq {
			events[n-1] = *last
		}
	case n == 0 || events[n-1].Seq < last.Seq:
		events = append(events, *last)
	}
	return events
}

// ReadFolder reads all that an attempt's folder says of what happened: the worker's events, and the coordinator's word: see WithOutcome.
// What is damaged is an error; the events are what is good.
func ReadFolder(dir string) ([]Event, error) {
	events, _, logErr := ReadEvents(filepath.Join(dir, EventsFile), 0)
	last, err := ReadOutcome(dir)
	return WithOutcome(events, last), errors.Join(logErr, err)
}
