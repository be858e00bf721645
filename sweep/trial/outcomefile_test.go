package trial_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// TestCoordinatorHasTheLastWord: it stands after the worker's events, or in the place of an end that the worker misjudged.
func TestCoordinatorHasTheLastWord(t *testing.T) {
	t.Parallel()
	ended := func(seq int64, why cause.Cause) trial.Event {
		return trial.Event{Seq: seq, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Cause: why}}
	}
	started := trial.Event{Seq: 1, Kind: trial.EventStarted}
	for name, tt := range map[string]struct{ said, word, want []trial.Event }{
		"no word":             {said: []trial.Event{started, ended(2, cause.Memory)}, want: []trial.Event{started, ended(2, cause.Memory)}},
		"the worker had none": {[]trial.Event{started}, []trial.Event{ended(2, cause.Killed)}, []trial.Event{started, ended(2, cause.Killed)}},
		"nothing was said":    {word: []trial.Event{ended(1, cause.Killed)}, want: []trial.Event{ended(1, cause.Killed)}},
		"in company": {
			[]trial.Event{started, ended(2, cause.Memory)},
			[]trial.Event{ended(2, cause.MemoryShared)},
			[]trial.Event{started, ended(2, cause.MemoryShared)},
		},
		"of another end": {
			[]trial.Event{started, ended(3, cause.Memory)}, []trial.Event{ended(2, cause.Killed)}, []trial.Event{started, ended(3, cause.Memory)},
		},
	} {
		var word *trial.Event
		if len(tt.word) > 0 {
			word = &tt.word[0]
		}
		if diff := cmp.Diff(tt.want, trial.WithOutcome(tt.said, word)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
