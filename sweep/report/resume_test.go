package report

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// measuredFields are the only ones in which two runs of the same sweep may differ.
//
//nolint:gochecknoglobals // a constant list
var measuredFields = []string{"train_seconds", "eval_seconds", "peak_host_bytes", "peak_device_bytes", "predicted_bytes"}

// TestInterruptionsLeaveNoTrace gives every trial of a finished sweep any number of crashed and interrupted attempts, and
// its measurements any values: outside the measured fields, the report stays the same.
func TestInterruptionsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	fixtures := []fixture{cells(), states()[plateau.StateMemoryLimited], states()[plateau.StateUnstable]}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(fixtures).Draw(t, "fixture")
		want := withoutMeasurements(t, Build(f.snapshot()))
		s := f.snapshot()
		s.Sweep.Created, s.Sweep.Elapsed = time.Now(), time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "elapsed"))
		for _, l := range s.Ladders {
			for _, r := range l.Rungs {
				for i := range r.Trials {
					interrupt(t, &r.Trials[i])
				}
			}
		}
		if diff := cmp.Diff(want, withoutMeasurements(t, Build(s))); diff != "" {
			t.Fatalf("the report of an interrupted sweep differs (-uninterrupted +interrupted):\n%s", diff)
		}
	})
}

// interrupt puts attempts before the one that ended the trial and changes what was measured.
func interrupt(t *rapid.T, tr *sweep.TrialFacts) {
	states := rapid.SliceOfN(rapid.SampledFrom([]trial.OutcomeState{trial.OutcomeCrashed, trial.OutcomeInterrupted}), 0, 3).Draw(t, "attempts")
	var attempts []sweep.AttemptFacts
	for i, state := range states {
		attempts = append(attempts, sweep.AttemptFacts{
			Number: i + 1, Intended: time.Unix(int64(i), 0), LastSeq: int64(i * 7), CheckpointStep: -1,
			Outcome: &trial.Outcome{State: state, Error: "signal: killed", Step: i, TrainSeconds: float64(i)},
		})
	}
	tr.Attempts = append(attempts, tr.Attempts...)
	last := &tr.Attempts[len(tr.Attempts)-1]
	last.Number, last.LastSeq = len(tr.Attempts), rapid.Int64Range(1, 1000).Draw(t, "seq")
	last.Outcome.TrainSeconds = rapid.Float64Range(0, 1e4).Draw(t, "seconds")
	tr.Memory.PeakHostBytes = new(rapid.Int64Range(1, 1<<40).Draw(t, "host"))
	if rapid.Bool().Draw(t, "device") {
		tr.Memory.PeakDeviceBytes = new(rapid.Int64Range(1, 1<<40).Draw(t, "device bytes"))
	}
	tr.Prediction.PredictedBytes = rapid.Int64Range(1, 1<<40).Draw(t, "predicted")
}

// withoutMeasurements returns the report's JSON with the measured fields emptied.
func withoutMeasurements(t *rapid.T, r Report) string {
	var b bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	blank(v)
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func blank(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			blank(e)
		}
	case map[string]any:
		for _, name := range measuredFields {
			if _, ok := v[name]; ok {
				v[name] = nil
			}
		}
		for _, e := range v {
			blank(e)
		}
	}
}
