package sweep_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// climbing is a ladder of four ranks with needed seeds, three in the grid. Its lowest two ranks are done with two seeds: rank 2 is better.
func climbing(t *testing.T) sweep.Snapshot {
	t.Helper()
	s := registered(t, []float64{16}, []int{1, 2, 4, 8}, 0, 1, 2)
	s.Sweep.Rule.SeedsPerRank = plateau.NeededSeeds
	for rung, loss := range []float64{4.8, 4.5} {
		for seed := range 2 {
			finish(&s, s.Ladders[0].Rungs[rung].Trials[seed].Trial.ID, done(loss+1e-3*float64(seed)))
		}
	}
	return s
}

// launched begins an attempt as the sweep itself does.
func launched(s *sweep.Snapshot, id trial.ID) trial.AttemptID {
	attempt := begin(s, id)
	edit(s, id, func(f *sweep.TrialFacts) { f.Attempts[len(f.Attempts)-1].Sweep = s.Sweep.Name })
	return attempt
}

func TestDecideTrainsSeedsAhead(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	for jobs, want := range map[int][]string{
		1: {"16/4/0#1"},
		2: {"16/4/0#1", "16/8/0#1"},
		4: {"16/4/0#1", "16/8/0#1", "16/4/1#1", "16/8/1#1"},
		9: {"16/4/0#1", "16/8/0#1", "16/4/1#1", "16/8/1#1", "16/2/2#1", "16/4/2#1", "16/8/2#1"},
	} {
		d := sweep.Decide(s, nil, sweep.Capacity{Jobs: jobs})
		if diff := cmp.Diff(want, names(s, d.Start)); diff != "" {
			t.Errorf("starts with %d jobs (-want +got):\n%s", jobs, diff)
		}
	}
}

func TestDecideTrainsAheadOnIdleGPUsOnly(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	s.Sweep.Platform = trial.PlatformCUDA
	for devices, want := range map[int]int{1: 1, 2: 2} {
		d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 4, Devices: devices})
		if len(d.Start) != want {
			t.Errorf("%d devices: %v start, want %d", devices, names(s, d.Start), want)
		}
	}
}

// TestDecideSaysWhatTrainsAhead: of the trials that run or start, those that the ladder waits for are told from those that it does not.
func TestDecideSaysWhatTrainsAhead(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	rungs := s.Ladders[0].Rungs
	asked, ahead := rungs[2].Trials[0].Trial.ID, rungs[3].Trials[0].Trial.ID
	d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 2})
	if !slices.Equal(d.Ahead, []trial.ID{ahead}) {
		t.Errorf("%v train ahead of %v, want %s", d.Ahead, names(s, d.Start), ahead)
	}
	live := []trial.AttemptID{launched(&s, asked), launched(&s, ahead)}
	if d := sweep.Decide(s, live, sweep.Capacity{Jobs: 2}); !slices.Equal(d.Ahead, []trial.ID{ahead}) {
		t.Errorf("%v train ahead once begun, want %s", d.Ahead, ahead)
	}
}

// TestDecideMakesRoomOnGPUs: a trial ahead leaves a GPU that trials are waited for on.
func TestDecideMakesRoomOnGPUs(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	s.Sweep.Platform = trial.PlatformCUDA
	ahead := launched(&s, s.Ladders[0].Rungs[3].Trials[0].Trial.ID)
	d := sweep.Decide(s, []trial.AttemptID{ahead}, sweep.Capacity{Jobs: 4, Devices: 1})
	if diff := cmp.Diff([]string{"16/4/0#1"}, names(s, d.Start)); diff != "" || !slices.Equal(d.Stop, []trial.AttemptID{ahead}) {
		t.Errorf("%v stop, starts (-want +got):\n%s", d.Stop, diff)
	}
}

// TestDecideTrainsNoRankAheadThatMayNotFit: a worker judges by what was measured when it starts.
func TestDecideTrainsNoRankAheadThatMayNotFit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		measured int64
		want     []string
	}{
		"nothing measured": {0, []string{}},
		"half the limit":   {500, []string{"16/4/0#1", "16/8/0#1"}},
		"more":             {501, []string{"16/4/0#1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := climbing(t)
			s.Sweep.Limits.Memory = 1000
			if tt.measured > 0 {
				predict(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, 400)
				measure(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, tt.measured)
			}
			live := []trial.AttemptID{}
			if tt.measured == 0 {
				live = append(live, launched(&s, s.Ladders[0].Rungs[2].Trials[0].Trial.ID))
			}
			d := sweep.Decide(s, live, sweep.Capacity{Jobs: 2})
			got := names(s, d.Start)
			got = slices.DeleteFunc(got, func(n string) bool { return n == "16/4/1#1" }) // a seed of the current rank
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecideStopsWhatIsNeedless: a rank that went on improving leaves the seeds below it without use.
func TestDecideStopsWhatIsNeedless(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	needless := launched(&s, s.Ladders[0].Rungs[0].Trials[2].Trial.ID)
	stops := func(live []trial.AttemptID, jobs int) []trial.AttemptID {
		return sweep.Decide(s, live, sweep.Capacity{Jobs: jobs}).Stop
	}
	if stop := stops([]trial.AttemptID{needless}, 2); len(stop) > 0 {
		t.Errorf("%v stop while a job is free", stop)
	}
	if stop := stops([]trial.AttemptID{needless}, 1); !slices.Equal(stop, []trial.AttemptID{needless}) {
		t.Errorf("%v stop with one job, want %s to make room", stop, needless)
	}
	leaving := trial.NewAttemptID(s.Ladders[0].Rungs[1].Trials[0].Trial.ID, 1)
	if stop := stops([]trial.AttemptID{needless, leaving}, 2); len(stop) > 0 {
		t.Errorf("%v stop while a job is about to be free", stop)
	}
	edit(&s, needless.Trial(), func(f *sweep.TrialFacts) { f.Attempts[0].Sweep = "another" })
	d := sweep.Decide(s, []trial.AttemptID{needless}, sweep.Capacity{Jobs: 1})
	if len(d.Stop) > 0 || len(d.Start) != 1 {
		t.Errorf("%v stop and %v start beside what another sweep trains for itself", d.Stop, names(s, d.Start))
	}
}

// TestDecideKeepsWhatIsLikelyNeeded: what trains ahead ends its trial, also where others wait for a job.
func TestDecideKeepsWhatIsLikelyNeeded(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	ahead := launched(&s, s.Ladders[0].Rungs[3].Trials[0].Trial.ID)
	if d := sweep.Decide(s, []trial.AttemptID{ahead}, sweep.Capacity{Jobs: 1}); len(d.Stop) > 0 || len(d.Start) > 0 {
		t.Errorf("%v stop, %v start", d.Stop, names(s, d.Start))
	}
}

// TestDecideEndsWithItsLadders: once every ladder has its verdict, nothing goes on training.
func TestDecideEndsWithItsLadders(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{1, 2, 4}, 0)
	ahead := launched(&s, s.Ladders[0].Rungs[1].Trials[0].Trial.ID)
	finish(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, trial.Outcome{State: trial.OutcomeFailed})
	d := sweep.Decide(s, []trial.AttemptID{ahead}, sweep.Capacity{Jobs: 2})
	if !slices.Equal(d.Stop, []trial.AttemptID{ahead}) || d.Done {
		t.Errorf("%+v, want %s to stop first", d, ahead)
	}
	conclude(&s, ahead.Trial(), trial.Outcome{State: trial.OutcomeInterrupted})
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 2}); !d.Done || len(d.Start) > 0 {
		t.Errorf("%+v, want done", d)
	}
}

// TestNeededEndsWhereATrialWasLost: a rank that lost a trial may be judged by its others and still end the ladder. What was trained ahead
// above it is not the verdict's.
func TestNeededEndsWhereATrialWasLost(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	rank4, rank8 := s.Ladders[0].Rungs[2].Trials, s.Ladders[0].Rungs[3].Trials
	finish(&s, rank4[0].Trial.ID, done(4.4))
	finish(&s, rank4[1].Trial.ID, trial.Outcome{State: trial.OutcomeFailed, Error: "no luck"})
	v := sweep.Conclude(s).Verdicts[0]
	if v.State != plateau.StateIncomplete || len(v.Rungs) != 3 {
		t.Fatalf("%s with %d ranks judged", v.State, len(v.Rungs))
	}
	before := trainedRanks(s.Ladders[0].Needed(v, s.Sweep))
	for _, f := range rank8 {
		finish(&s, f.Trial.ID, done(4.3))
	}
	v = sweep.Conclude(s).Verdicts[0]
	if after := trainedRanks(s.Ladders[0].Needed(v, s.Sweep)); !slices.Equal(before, after) {
		t.Errorf("%s: ranks %v are needed, with rank 8 trained ahead %v", v.State, before, after)
	}
}
