package trial_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestSalvage: what is good of a log is kept, whatever lies between, and what is missing comes from what else is known.
func TestSalvage(t *testing.T) {
	t.Parallel()
	events, text := logged(t)
	lines := bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	lines[2] = append(lines[2], '\n')
	flipped := bytes.Replace(lines[1], []byte("3.25"), []byte("3.26"), 1)
	cutKind := []byte(`{"seq":2,"at":"2026-11-30T00:00:00Z","kind":"08be916d"}` + "\n")
	foreign := []byte("2026-11-30 kernel: a line of another program\n")
	for name, test := range map[string]struct {
		log   [][]byte
		known []trial.Event
		want  int
		whole bool
	}{
		"good":                          {lines, nil, 3, true},
		"nothing":                       {nil, nil, 0, true},
		"nothing, all is known":         {nil, events, 3, true},
		"a changed digit":               {[][]byte{lines[0], flipped, lines[2]}, nil, 1, false},
		"a changed digit, it is known":  {[][]byte{lines[0], flipped, lines[2]}, events[:2], 3, true},
		"all digits known":              {[][]byte{lines[0], flipped}, events, 3, true},
		"a line lost sum and kind":      {[][]byte{lines[0], cutKind, lines[2]}, nil, 1, false},
		"a foreign line between":        {[][]byte{lines[0], foreign, lines[1], lines[2]}, nil, 3, true},
		"a foreign line at the end":     {[][]byte{lines[0], lines[1], foreign}, nil, 2, false},
		"a foreign line after the last": {[][]byte{lines[0], lines[1], lines[2], foreign}, nil, 3, true},
		"the middle is missing":         {[][]byte{lines[0], lines[2]}, nil, 1, false},
		"the first is missing":          {[][]byte{lines[1], lines[2]}, nil, 0, false},
		"a line twice":                  {[][]byte{lines[0], lines[0], lines[1], lines[2]}, nil, 3, true},
		"torn":                          {[][]byte{lines[0], lines[1][:20]}, nil, 1, true},
		"torn, it is known":             {[][]byte{lines[0], lines[1][:20]}, events[:2], 2, true},
		"its last newline is missing":   {[][]byte{lines[0], bytes.TrimSuffix(lines[1], []byte("\n"))}, nil, 2, true},
	} {
		got, whole, err := trial.Salvage(bytes.NewReader(bytes.Join(test.log, nil)), test.known)
		if diff := cmp.Diff(events[:test.want], got, cmpopts.EquateEmpty()); diff != "" || whole != test.whole || err != nil {
			t.Errorf("%s: whole %t, want %t; %v; events (-want +got):\n%s", name, whole, test.whole, err, diff)
		}
	}
}

// TestSalvageLosesNothingKnown: whatever became of a log of many lines, what is known of it is kept, and nothing is made up.
func TestSalvageLosesNothingKnown(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "events")
		events := make([]trial.Event, n)
		var text []byte
		for i := range events {
			events[i] = trial.Event{Seq: int64(i + 1), Kind: trial.EventCheckpoint, Step: i}
			line, err := events[i].MarshalLine()
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, line...)
		}
		known := rapid.IntRange(0, n).Draw(t, "known")
		for range rapid.IntRange(0, 3).Draw(t, "damages") {
			if at := rapid.IntRange(0, len(text)-1).Draw(t, "at"); rapid.Bool().Draw(t, "cut") {
				text = append(text[:at:at], text[at+rapid.IntRange(0, len(text)-at-1).Draw(t, "bytes"):]...)
			} else {
				text[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			}
		}
		got, _, err := trial.Salvage(bytes.NewReader(text), events[:known])
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < known {
			t.Fatalf("%d events of %d that are known", len(got), known)
		}
		if diff := cmp.Diff(events[:len(got)], got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(fmt.Sprintf("events that nobody wrote, of %q:\n", text), diff)
		}
	})
}
