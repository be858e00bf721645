package sweep_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// climbing is a ladder of four ranks with needed seeds, three in the grid, whose lowest two ranks are done with two seeds: rank 2 is better.
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

// TestDecideStopsWhatTrainsInVain: a rank that went on improving leaves the seeds below it without use.
func TestDecideStopsWhatTrainsInVain(t *testing.T) {
	t.Parallel()
	s := climbing(t)
	inVain := launched(&s, s.Ladders[0].Rungs[1].Trials[2].Trial.ID)
	finish(&s, s.Ladders[0].Rungs[2].Trials[0].Trial.ID, done(4.2))
	if d := sweep.Decide(s, []trial.AttemptID{inVain}, sweep.Capacity{Jobs: 2}); len(d.Stop) > 0 {
		t.Errorf("%v stop while a job is free", d.Stop)
	}
	d := sweep.Decide(s, []trial.AttemptID{inVain}, sweep.Capacity{Jobs: 1})
	if !slices.Equal(d.Stop, []trial.AttemptID{inVain}) || len(d.Start) > 0 {
		t.Errorf("%v stop and %v start with one job, want %s to make room", d.Stop, names(s, d.Start), inVain)
	}
	leaving := trial.NewAttemptID(s.Ladders[0].Rungs[2].Trials[0].Trial.ID, 1)
	if d := sweep.Decide(s, []trial.AttemptID{inVain, leaving}, sweep.Capacity{Jobs: 2}); len(d.Stop) > 0 {
		t.Errorf("%v stop while a job is about to be free", d.Stop)
	}
	edit(&s, inVain.Trial(), func(f *sweep.TrialFacts) { f.Attempts[0].Sweep = "another" })
	if d := sweep.Decide(s, []trial.AttemptID{inVain}, sweep.Capacity{Jobs: 1}); len(d.Stop) > 0 {
		t.Errorf("%v stop, which another sweep trains", d.Stop)
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
