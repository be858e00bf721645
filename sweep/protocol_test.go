package sweep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestProtocols counts by hand. Four ranks and patience 1: an answer at the first to fourth rank takes a ladder 2, 3, 4 and 4 rungs, in the
// mean 3.25, and a scout's neighbourhood 2, 3, 3 and 2, in the mean 2.5; each rung has 3 trials, of 10 s and twice as much from rank 4 on.
// The scout itself trains a tenth longer for each lower rank.
func TestProtocols(t *testing.T) {
	t.Parallel()
	measured := []RungEstimate{{TrialSeconds: 10}, {TrialSeconds: 10}, {TrialSeconds: 20}, {TrialSeconds: 20}}
	small := []RungEstimate{{TrialSeconds: 10}, {TrialSeconds: 10}, {OverMemory: true}, {OverMemory: true}}
	long := &RungEstimate{TrialSeconds: 40}
	seedDone := func(seed int) map[trial.ID]bool {
		done := map[trial.ID]bool{}
		for _, r := range forecastLadder(1, 4).Rungs {
			done[r.Trials[seed].Trial.ID] = true
		}
		return done
	}
	for name, tt := range map[string]struct {
		seeds     plateau.SeedsPerRank
		estimate  LadderEstimate
		finished  map[trial.ID]bool
		reference []string // ids
		want      []Protocol
	}{
		"measured, two jobs": {plateau.EverySeed, LadderEstimate{Rungs: measured}, nil, nil, []Protocol{
			// shares of the ladder's rungs: 1, 1, 3/4, 1/2; of the scout's: 1/2, 3/4, 3/4, 1/2
			{ProtocolLadder, 10, new((3*10 + 3*10 + 2.25*20 + 1.5*20) / 2), 12, new(90.0)},
			{ProtocolScout, 9, new((26 + 1.5*10 + 2.25*10 + 2.25*20 + 1.5*20) / 2), 13, new(103.0)},
			{ProtocolExhaustive, 12, new(90.0), 12, new(90.0)},
		}},
		// The ladder's trials by answer: 3+3, 2+3+3, 2+2+3+3, and 2+2+3+3 where the last rank rests on the one below; the scout's: 3+3, 2+3+3,
		// 2+3+3 and 3+3.
		"seeds as needed": {plateau.NeededSeeds, LadderEstimate{Rungs: measured}, nil, nil, []Protocol{
			{ProtocolLadder, 9, new((2.25*10 + 2.5*10 + 2.25*20 + 1.5*20) / 2), 12, new(90.0)},
			{ProtocolScout, 8, new((26 + 1.25*10 + 2*10 + 2.25*20 + 1.5*20) / 2), 13, new(103.0)},
			{ProtocolExhaustive, 12, new(90.0), 12, new(90.0)},
		}},
		// A rung that is trained at all takes the first seed, and only one that the verdict rests on the third.
		"first seeds finished": {plateau.NeededSeeds, LadderEstimate{}, seedDone(0), nil, []Protocol{
			{ProtocolLadder, 5, nil, 8, nil}, {ProtocolScout, 6, nil, 9, nil}, {ProtocolExhaustive, 8, nil, 8, nil},
		}},
		"third seeds finished": {plateau.NeededSeeds, LadderEstimate{}, seedDone(2), nil, []Protocol{
			{ProtocolLadder, 7, nil, 8, nil}, {ProtocolScout, 6, nil, 9, nil}, {ProtocolExhaustive, 8, nil, 8, nil},
		}},
		"memory for two ranks": {plateau.EverySeed, LadderEstimate{Rungs: small}, nil, nil, []Protocol{
			{ProtocolLadder, 6, new(30.0), 6, new(30.0)},
			{ProtocolScout, 7, new(35.5), 7, new(35.5)},
			{ProtocolExhaustive, 6, new(30.0), 6, new(30.0)},
		}},
		"nothing measured, a trial finished": {plateau.EverySeed, LadderEstimate{}, map[trial.ID]bool{"1-1-0": true}, nil, []Protocol{
			{ProtocolLadder, 9, nil, 11, nil}, {ProtocolScout, 8, nil, 12, nil}, {ProtocolExhaustive, 11, nil, 11, nil},
		}},
		"a reference, one trial of it finished": {
			plateau.EverySeed, LadderEstimate{Rungs: small, Reference: long}, map[trial.ID]bool{"a": true}, []string{"a", "b", "c"}, []Protocol{
				{ProtocolLadder, 8, new(30.0 + 40), 8, new(30.0 + 40)},
				{ProtocolScout, 9, new(35.5 + 40), 9, new(35.5 + 40)},
				{ProtocolExhaustive, 8, new(30.0 + 40), 8, new(30.0 + 40)},
			},
		},
		"a reference that does not fit": {
			plateau.EverySeed, LadderEstimate{Rungs: small, Reference: &RungEstimate{OverMemory: true}}, nil, []string{"a"}, []Protocol{
				{ProtocolLadder, 6, new(30.0), 6, new(30.0)},
				{ProtocolScout, 7, new(35.5), 7, new(35.5)},
				{ProtocolExhaustive, 6, new(30.0), 6, new(30.0)},
			},
		},
		"a reference, nothing measured": {plateau.EverySeed, LadderEstimate{}, nil, []string{"a"}, []Protocol{
			{ProtocolLadder, 11, nil, 13, nil}, {ProtocolScout, 10, nil, 14, nil}, {ProtocolExhaustive, 13, nil, 13, nil},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var estimates []LadderEstimate
			if tt.estimate.Rungs != nil {
				estimates = []LadderEstimate{tt.estimate}
			}
			l := forecastLadder(1, 4)
			for _, id := range tt.reference {
				l.Reference = append(l.Reference, PlannedTrial{Trial: trial.Brief{ID: trial.ID(id)}})
			}
			info := Info{Rule: plateau.DefaultRule(), Seeds: []int64{0, 1, 2}}
			info.Rule.Patience, info.Rule.SeedsPerRank = 1, tt.seeds
			got := Registration{Ladders: []LadderPlan{l}}.Protocols(info, estimates, tt.finished, 2)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("protocols (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProtocolsCountScouts: none where nothing but the lowest rank is there or fits, and none that is finished.
func TestProtocolsCountScouts(t *testing.T) {
	t.Parallel()
	info := Info{Rule: plateau.DefaultRule(), Seeds: []int64{0, 1, 2}}
	several := forecastLadder(1, 4)
	scout := several.ladder().scouts(3)[0].Trial
	if top := scout.Spec().Shrink; top == nil || len(top.To) != 3 {
		t.Fatalf("the scout of the largest rank is cut to %+v", top)
	}
	for name, tt := range map[string]struct {
		ladders  []LadderPlan
		estimate LadderEstimate
		finished map[trial.ID]bool
		want     int // trials of a scout at most
	}{
		"two ladders of one rank": {[]LadderPlan{forecastLadder(1, 1), forecastLadder(2, 1)}, LadderEstimate{}, nil, 6},
		"memory for one rank": {
			[]LadderPlan{several}, LadderEstimate{Rungs: []RungEstimate{{TrialSeconds: 10}, {OverMemory: true}, {}, {}}}, nil, 3,
		},
		"one to train":    {[]LadderPlan{several}, LadderEstimate{}, nil, 13},
		"one is finished": {[]LadderPlan{several}, LadderEstimate{}, map[trial.ID]bool{scout.ID: true}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var estimates []LadderEstimate
			if tt.estimate.Rungs != nil {
				estimates = []LadderEstimate{tt.estimate}
			}
			got := Registration{Ladders: tt.ladders}.Protocols(info, estimates, tt.finished, 1)[1]
			if got.Name != ProtocolScout || got.MostTrials != tt.want || got.MostSeconds != nil && *got.MostSeconds != 10*float64(tt.want) {
				t.Errorf("%+v, want %d trials of 10 s", got, tt.want)
			}
		})
	}
}

// TestRegistrationRaces: cells race as the sweep would have them race.
func TestRegistrationRaces(t *testing.T) {
	t.Parallel()
	two := func(ranks int) []LadderPlan { return []LadderPlan{forecastLadder(1, ranks), forecastLadder(2, ranks)} }
	for name, tt := range map[string]struct {
		ladders  []LadderPlan
		seeds    int
		strategy Strategy
		want     bool
	}{
		"cells":                     {two(4), 3, StrategyLadder, true},
		"one cell":                  {two(4)[:1], 3, StrategyLadder, false},
		"one rank":                  {two(1), 3, StrategyLadder, false},
		"one seed":                  {two(4), 1, StrategyLadder, false},
		"one seed, scouts":          {two(4), 1, StrategyScout, true},
		"screened":                  {two(4), 3, StrategyScreen, false},
		"cells of different ladder": {[]LadderPlan{forecastLadder(1, 4), forecastLadder(2, 3)}, 3, StrategyLadder, false},
	} {
		info := Info{Race: true, Strategy: tt.strategy, Seeds: []int64{0, 1, 2}[:tt.seeds]}
		if got := (Registration{Ladders: tt.ladders}).Races(info); got != tt.want {
			t.Errorf("%s: races %v, want %v", name, got, tt.want)
		}
		if info.Race = false; (Registration{Ladders: tt.ladders}).Races(info) {
			t.Errorf("%s: it races with race: false", name)
		}
	}
}
