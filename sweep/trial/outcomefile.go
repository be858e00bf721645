package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OutcomeFile says how an attempt ended whose worker could not: an Event of the coordinator, after the worker's own.
const OutcomeFile = "outcome.json"

// WriteOutcome writes the coordinator's word on an attempt that ended without one.
func WriteOutcome(dir string, e Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return writeSealed(filepath.Join(dir, OutcomeFile), text)
}

// ReadOutcome reads what WriteOutcome wrote; nil where there is none.
func ReadOutcome(dir string) (*Event, error) {
	path := filepath.Join(dir, OutcomeFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var e Event
	if err := UnmarshalSealed(text, &e); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if e.Kind != EventEnded || e.Outcome == nil {
		return nil, fmt.Errorf("read %s: %w: it is no outcome", path, ErrDamaged)
	}
	return &e, nil
}

// ReadFolder reads all that an attempt's folder says of what happened: the worker's events, and the coordinator's word where they do not
// end with one. What is damaged is an error; the events are what is good.
func ReadFolder(dir string) ([]Event, error) {
	events, _, logErr := ReadEvents(filepath.Join(dir, EventsFile), 0)
	last, err := ReadOutcome(dir)
	if last != nil && (len(events) == 0 || events[len(events)-1].Kind != EventEnded && events[len(events)-1].Seq < last.Seq) {
		events = append(events, *last)
	}
	return events, errors.Join(logErr, err)
}
