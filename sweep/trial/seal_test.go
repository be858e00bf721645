package trial_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// logged are events and their lines.
func logged(t *testing.T) (events []trial.Event, text []byte) {
	t.Helper()
	at := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	events = []trial.Event{
		{Seq: 1, At: at, Kind: trial.EventPoint, Step: 1, Point: &trial.Point{Tokens: 10, TrainLoss: 4.5, GradNorm: 1, LearningRate: 0.1}},
		{Seq: 2, At: at, Kind: trial.EventEval, Step: 1, Evaluation: &trial.Evaluation{ValLoss: 3.25, Tokens: 7, Seconds: 1}},
		{Seq: 3, At: at, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone, Step: 1, ValLoss: new(3.25)}},
	}
	for _, e := range events {
		line, err := e.MarshalLine()
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, line...)
	}
	return events, text
}

// TestEventsWithAFlippedBit: wherever one bit of a log is wrong, its events are those before it, or as they were written.
func TestEventsWithAFlippedBit(t *testing.T) {
	t.Parallel()
	want, text := logged(t)
	refused := 0
	for bit := range 8 * len(text) {
		damaged := bytes.Clone(text)
		damaged[bit/8] ^= 1 << (bit % 8)
		got, _, err := trial.ParseEvents(bytes.NewReader(damaged))
		if diff := cmp.Diff(want[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("bit %d of %q: events that nobody wrote:\n%s", bit, damaged, diff)
		}
		switch {
		case errors.Is(err, trial.ErrDamaged):
			refused++
		case err != nil:
			t.Fatalf("bit %d: %v, want ErrDamaged", bit, err)
		case len(got) < len(want) && bit/8 != len(text)-1: // without its newline the last line is torn
			t.Fatalf("bit %d of %q: %d events and no error", bit, damaged, len(got))
		}
	}
	if refused < 8*len(text)-9 { // all but the last newline's, and the one bit that makes ' ' of none
		t.Errorf("%d of %d flipped bits were found", refused, 8*len(text))
	}
}

func TestEventsOfEarlierVersions(t *testing.T) {
	t.Parallel()
	want, _ := logged(t)
	var text []byte
	for _, e := range want {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if got, read, err := trial.ParseEvents(bytes.NewReader(text)); err != nil || read != int64(len(text)) || !cmp.Equal(want, got) {
		t.Errorf("events without checksums: %v, %d of %d bytes, %v", got, read, len(text), err)
	}
}

func TestUnmarshalSealedRefuses(t *testing.T) {
	t.Parallel()
	sealed := string(trial.Seal([]byte(`{"seq": 1}`)))
	for what, text := range map[string]string{
		"another sum":    `{"seq": 1,"crc32c":"00000000"}`,
		"no hexadecimal": `{"seq": 1,"crc32c":"0000000g"}`,
		"a torn sum":     sealed[:len(sealed)-4] + `"}`,
		"another member": `{"seq": 1,"crc":"00000000"}`,
		"nothing":        ``,
		"two objects":    `{"seq": 1}{"seq": 1}`,
		"another text":   `not JSON at all, but longer than a checksum`,
	} {
		var e trial.Event
		if err := trial.UnmarshalSealed([]byte(text), &e); !errors.Is(err, trial.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", what, err)
		}
	}
	var e trial.Event
	if err := trial.UnmarshalSealed([]byte(sealed), &e); err != nil || e.Seq != 1 {
		t.Errorf("%s: %+v, %v", sealed, e, err)
	}
}

// FuzzParseEvents: whatever is in a log, what is read of it can be written and is then read again.
func FuzzParseEvents(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-11-30T00:00:00Z","kind":"checkpoint","step":2}` + "\n" + `{"seq":2,"ki`))
	f.Add([]byte(`{"seq":1,"crc32c":"00000000"}` + "\n"))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, read, err := trial.ParseEvents(bytes.NewReader(text))
		if read > int64(len(text)) || read > 0 && text[read-1] != '\n' {
			t.Fatalf("%d of %d bytes read, which is no end of a line", read, len(text))
		}
		if err != nil && !errors.Is(err, trial.ErrDamaged) {
			t.Fatal(err)
		}
		var again []byte
		for _, e := range events {
			line, err := e.MarshalLine()
			if err != nil {
				t.Skip("a time that JSON cannot write")
			}
			again = append(again, line...)
		}
		got, _, err := trial.ParseEvents(bytes.NewReader(again))
		if err != nil || !cmp.Equal(events, got) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		if len(again) > 0 {
			again[len(again)/2] ^= 1
			if _, _, err := trial.ParseEvents(bytes.NewReader(again)); !errors.Is(err, trial.ErrDamaged) {
				t.Fatalf("a wrong bit of %q passes: %v", again, err)
			}
		}
	})
}

// TestLogWithoutEnd: of a log whose end is longer than a line can be, what stands before is kept, and nobody goes on writing to it.
func TestLogWithoutEnd(t *testing.T) {
	t.Parallel()
	want, text := logged(t)
	want, text = want[:len(want)-1], text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1] // not ended
	dir := t.TempDir()
	path := sparse(t, filepath.Join(dir, trial.EventsFile), string(text))
	got, offset, err := trial.ReadEvents(path, 0)
	if !errors.Is(err, trial.ErrDamaged) || offset != int64(len(text)) || !cmp.Equal(want, got) {
		t.Errorf("ReadEvents = %d events, %d, %v", len(got), offset, err)
	}
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // read only
	if got, whole, err := trial.Salvage(log, nil); err != nil || whole || !cmp.Equal(want, got) {
		t.Errorf("Salvage = %d events, %t, %v", len(got), whole, err)
	}
	held, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // nothing is written
	if _, err := trial.NewEventLog(held); !errors.Is(err, trial.ErrDamaged) {
		t.Errorf("NewEventLog: %v", err)
	}
}
