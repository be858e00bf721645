package sweep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestProtocols counts by hand. Four ranks and patience 1: an answer at the first to fourth rank takes a ladder 2, 3, 4 and 4 rungs, in the
// mean 3.25, and a scout's neighbourhood 2, 3, 3 and 2, in the mean 2.5; each rung has 3 trials, of 10 s and twice as much from rank 4 on.
func TestProtocols(t *testing.T) {
	t.Parallel()
	measured := []RungEstimate{{TrialSeconds: 10}, {TrialSeconds: 10}, {TrialSeconds: 20}, {TrialSeconds: 20}}
	small := []RungEstimate{{TrialSeconds: 10}, {TrialSeconds: 10}, {OverMemory: true}, {OverMemory: true}}
	for name, tt := range map[string]struct {
		estimates []RungEstimate
		finished  map[trial.ID]bool
		want      []Protocol
	}{
		"measured, two jobs": {measured, nil, []Protocol{
			// shares of the ladder's rungs: 1, 1, 3/4, 1/2; of the scout's: 1/2, 3/4, 3/4, 1/2
			{ProtocolLadder, 10, new((3*10 + 3*10 + 2.25*20 + 1.5*20) / 2), 12, new(90.0)},
			{ProtocolScout, 9, new((20 + 1.5*10 + 2.25*10 + 2.25*20 + 1.5*20) / 2), 13, new(100.0)},
			{ProtocolExhaustive, 12, new(90.0), 12, new(90.0)},
		}},
		"memory for two ranks": {small, nil, []Protocol{
			{ProtocolLadder, 6, new(30.0), 6, new(30.0)},
			{ProtocolScout, 7, new(35.0), 7, new(35.0)},
			{ProtocolExhaustive, 6, new(30.0), 6, new(30.0)},
		}},
		"nothing measured, a trial finished": {nil, map[trial.ID]bool{"1-1-0": true}, []Protocol{
			{ProtocolLadder, 9, nil, 11, nil}, {ProtocolScout, 8, nil, 12, nil}, {ProtocolExhaustive, 11, nil, 11, nil},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var estimates [][]RungEstimate
			if tt.estimates != nil {
				estimates = [][]RungEstimate{tt.estimates}
			}
			got := Registration{Ladders: []LadderPlan{forecastLadder(1, 4)}}.Protocols(estimates, tt.finished, 1, 2)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("protocols (-want +got):\n%s", diff)
			}
		})
	}
}
