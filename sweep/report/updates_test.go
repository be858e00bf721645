package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// updatesOf gives every trial of a snapshot that plateaus at rank 8 an update whose stable rank grows with its rank up to most.
func updatesOf(r Report, most float64) map[trial.ID][]trial.ModuleUpdate {
	of := map[trial.ID][]trial.ModuleUpdate{}
	for _, rung := range r.Ladders[0].Rungs {
		for i, t := range rung.Trials {
			for m := range 6 {
				of[t.ID] = append(of[t.ID], trial.ModuleUpdate{
					Module: "transformer.h." + string(rune('0'+m)) + ".attn.c_attn", Norm: float64(m+1) + 0.25*float64(i-1),
					StableRank: min(most, float64(rung.Rank)/2),
				})
			}
		}
	}
	return of
}

func TestExplainShowsUpdates(t *testing.T) {
	t.Parallel()
	r := Build(states()[plateau.StatePlateau].snapshot())
	e, err := r.Explain("1")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.WithUpdates(updatesOf(r, 2.5)).Text(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "A rank counts as improved")
	golden(t, "updates.txt", []byte(head))
}

func TestUpdatesAreMeansOverTrials(t *testing.T) {
	t.Parallel()
	r := Build(states()[plateau.StatePlateau].snapshot())
	e, err := r.Explain("1")
	if err != nil {
		t.Fatal(err)
	}
	of := updatesOf(r, 2.5)
	first := r.Ladders[0].Rungs[0]
	delete(of, first.Trials[0].ID) // of an earlier version
	for _, t := range r.Ladders[0].Rungs[1].Trials {
		delete(of, t.ID)
	}
	got := e.WithUpdates(of).Updates
	if len(got) != len(r.Ladders[0].Rungs)-1 || got[0].Trials != 2 || got[1].Rank != 4 || got[1].Trials != 3 {
		t.Fatalf("updates %+v", got)
	}
	u, sum := got[1], 0.0
	for _, m := range u.Modules {
		sum += m.Share
	}
	if top := u.Modules[0]; top.Norm != 6 || math.Abs(top.Share-36.0/91) > 1e-12 || math.Abs(sum-1) > 1e-12 ||
		math.Abs(u.StableRank-2) > 1e-12 {
		t.Errorf("rank 4: %+v", u)
	}
	if e.WithUpdates(nil).Updates != nil {
		t.Error("updates of trials that have none")
	}
}

func TestAgreement(t *testing.T) {
	t.Parallel()
	at := func(rank int, stable float64) Updates { return Updates{Rank: rank, StableRank: stable} }
	for want, all := range map[string][]Updates{
		"says nothing for or against": {at(4, 1.5), at(8, 7)},
		"that agrees with":            {at(8, 2), at(16, 3), at(32, 8)},
		"more directions there":       {at(8, 2), at(16, 8.5)},
	} {
		recommended := all[0]
		if len(all) == 2 && all[1].Rank == 8 {
			recommended = all[1]
		}
		if got := stableRankAgreement(all, recommended); !strings.Contains(got, want) {
			t.Errorf("stableRankAgreement(%v) = %q, want %q in it", all, got, want)
		}
	}
}
