package sweeptest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// createTuned makes a registered sweep of one ladder with two candidates, ranks 1 and 2, seeds 1 and 0 in that order.
func createTuned(t *testing.T, s Store, name string) int64 {
	t.Helper()
	id, err := s.CreateSweep(t.Context(), Info(name, 1, 0))
	must(t, "CreateSweep", err)
	must(t, "Register", s.Register(t.Context(), id, TunedRegistration([]float64{1e-3, 3e-3}, []float64{16}, []int{1, 2}, []int64{1, 0})))
	return id
}

// exerciseCandidates registers a tuned ladder: it comes back as it was, each trial with its candidate.
func exerciseCandidates(t *testing.T, s Store) {
	t.Helper()
	id := createTuned(t, s, "tuned")
	r := TunedRegistration([]float64{1e-3, 3e-3}, []float64{16}, []int{1, 2}, []int64{1, 0})
	for range 2 { // the second changes nothing
		must(t, "Register", s.Register(t.Context(), id, r))
		if diff := cmp.Diff(r.Ladders, plans(snapshot(t, s, id))); diff != "" {
			t.Fatalf("ladders (-registered +snapshot):\n%s", diff)
		}
	}
	for i, f := range snapshot(t, s, id).Ladders[0].Rungs[1].Trials {
		if f.Candidate != i/2 || f.Extra {
			t.Errorf("trial %d of rank 2 is of candidate %d, extra %v", i, f.Candidate, f.Extra)
		}
	}
	other := TunedRegistration([]float64{1e-3, 4e-3}, []float64{16}, []int{1, 2}, []int64{1, 0})
	if err := s.Register(t.Context(), id, other); err == nil {
		t.Error("a registration with another candidate was taken")
	}
}

func extraTrial(rank, candidate int, t trial.Trial) sweep.ExtraTrial {
	return sweep.ExtraTrial{Rank: rank, PlannedTrial: sweep.PlannedTrial{Candidate: candidate, Trial: t.Brief()}}
}

// exerciseExtraSeeds adds trials of extra seeds: they stand behind those of the grid, share what is known about them with
// other sweeps, and do not make the registration another one.
func exerciseExtraSeeds(t *testing.T, s Store) {
	t.Helper()
	ctx, id := t.Context(), createTuned(t, s, "first")
	other := createTuned(t, s, "second")
	ladder := snapshot(t, s, id).Ladders[0].ID
	at := func(rate float64, rank int, seed int64, candidate int) sweep.ExtraTrial {
		return extraTrial(rank, candidate, TrialAt(rate, 16, rank, seed))
	}
	extra := []sweep.ExtraTrial{at(1e-3, 2, 3, 0), at(1e-3, 2, 2, 0), at(3e-3, 1, 2, 1)}
	for range 2 { // the second changes nothing
		must(t, "AddTrials", s.AddTrials(ctx, ladder, extra))
		got := snapshot(t, s, id).Ladders[0]
		want := []trial.ID{
			TrialAt(1e-3, 16, 2, 1).ID, TrialAt(1e-3, 16, 2, 0).ID, extra[1].Trial.ID, extra[0].Trial.ID,
			TrialAt(3e-3, 16, 2, 1).ID, TrialAt(3e-3, 16, 2, 0).ID,
		}
		var ids []trial.ID
		for _, f := range got.Rungs[1].Trials {
			ids = append(ids, f.Trial.ID)
			if f.Extra != (f.Trial.Seed > 1) {
				t.Errorf("seed %d: extra %v", f.Trial.Seed, f.Extra)
			}
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("trials of rank 2 (-want +got):\n%s", diff)
		}
		if len(got.Rungs[0].Trials) != 5 || len(snapshot(t, s, other).Ladders[0].Rungs[1].Trials) != 4 {
			t.Error("extra trials stand elsewhere too, or are missing")
		}
	}
	must(t, "Register", s.Register(ctx, id, TunedRegistration([]float64{1e-3, 3e-3}, []float64{16}, []int{1, 2}, []int64{1, 0})))

	a := trial.Assignment{Attempt: trial.NewAttemptID(extra[0].Trial.ID, 1), Sweep: "first", Trial: extra[0].Trial.Trial()}
	must(t, "BeginAttempt", s.BeginAttempt(ctx, extra[0].Trial.ID, 1, a, moment(1)))
	must(t, "AddTrials", s.AddTrials(ctx, snapshot(t, s, other).Ladders[0].ID, extra[:1]))
	if f := snapshot(t, s, other).Ladders[0].Rungs[1].Trials[2]; len(f.Attempts) != 1 {
		t.Errorf("the other sweep sees %d attempts of the shared trial, want 1", len(f.Attempts))
	}

	before := snapshot(t, s, id)
	changed := at(1e-3, 2, 3, 0)
	changed.Trial = TrialAt(5e-3, 16, 2, 3).Brief()
	for name, bad := range map[string]sweep.ExtraTrial{
		"a seed of the grid":             at(1e-3, 2, 0, 0),
		"a rank that is not there":       at(1e-3, 4, 2, 0),
		"a candidate that is not there":  at(1e-3, 2, 2, 2),
		"another trial at a taken place": changed,
		"a trial of another rank":        extraTrial(2, 0, TrialAt(1e-3, 16, 1, 4)),
	} {
		if err := s.AddTrials(ctx, ladder, []sweep.ExtraTrial{at(1e-3, 2, 4, 0), bad}); err == nil {
			t.Errorf("%s was taken", name)
		}
		if diff := cmp.Diff(before, snapshot(t, s, id)); diff != "" {
			t.Errorf("%s: a refused addition left something:\n%s", name, diff)
		}
	}
	if err := s.AddTrials(ctx, 99, extra); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("AddTrials to no ladder = %v, want ErrNotFound", err)
	}
}

// exerciseWishes confirms a sweep: the rule of its snapshots then draws seeds, up to the most that were ever asked for.
func exerciseWishes(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	certified := Info("certified", 1, 0)
	certified.Rule.Stop, certified.Rule.MaxSeeds = plateau.StopCertified, 5
	ids := map[string]int64{"likely": create(t, s, "likely")}
	var err error
	ids["certified"], err = s.CreateSweep(ctx, certified)
	must(t, "CreateSweep", err)
	for _, step := range []struct {
		wish              int
		likely, certified int // max_seeds from then on
	}{{0, 0, 5}, {3, 3, 5}, {3, 3, 5}, {8, 8, 8}, {4, 8, 8}} {
		for name, want := range map[string]int{"likely": step.likely, "certified": step.certified} {
			if step.wish > 0 {
				must(t, "Confirm", s.Confirm(ctx, ids[name], step.wish, moment(1)))
			}
			if got := snapshot(t, s, ids[name]).Sweep.Rule; got.Confirm != (step.wish > 0) || got.MaxSeeds != want {
				t.Errorf("%s after a wish for %d: confirm %v, max_seeds %d, want %d", name, step.wish, got.Confirm, got.MaxSeeds, want)
			}
		}
	}
	if err := s.Confirm(ctx, 99, 3, moment(1)); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Confirm of no sweep = %v, want ErrNotFound", err)
	}
	if err := s.Confirm(ctx, ids["likely"], 0, moment(1)); err == nil {
		t.Error("a wish for no seeds was taken")
	}
}
