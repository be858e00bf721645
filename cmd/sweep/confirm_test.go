package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// doubtfulMinGain is a min_gain, in nats, at which the snapshot's ladder would stop on a likely plateau with a patience of 1.
func doubtfulMinGain(t *testing.T, s sweep.Snapshot) float64 {
	t.Helper()
	var rungs []plateau.Losses
	for _, r := range s.Ladders[0].Rungs {
		rungs = append(rungs, r.Losses())
	}
	rule := s.Sweep.Rule
	rule.Patience = 1
	for gain := 1.0; gain > 1e-6; gain *= 0.9 {
		rule.MinGain = plateau.MinGain{Value: gain}
		if v, err := rule.Judge(rungs); err == nil && v.State == plateau.StateLikelyPlateau {
			return gain
		}
	}
	t.Fatal("no min_gain leaves the ladder in doubt")
	return 0
}

// extraAttempts counts the attempts of trials of extra seeds.
func (s *testSweep) extraAttempts() (n int) {
	snapshot, _ := s.snapshot()
	for _, l := range snapshot.Ladders {
		for _, r := range l.Rungs {
			for _, t := range r.Trials {
				if t.Extra {
					n += len(t.Attempts)
				}
			}
		}
	}
	return n
}

// TestConfirm certifies the plateau of a finished sweep with further seeds, is killed in between, and has nothing to do the
// second time.
func TestConfirm(t *testing.T) {
	t.Parallel()
	pilot, s := newTestSweep(t, backend.PlatformGo, 30), newTestSweep(t, backend.PlatformGo, 30)
	pilot.finish()
	snapshot, _ := pilot.snapshot()
	s.edit("{patience: 3}", fmt.Sprintf("{patience: 1, min_gain: %v}", doubtfulMinGain(t, snapshot)))
	s.finish()
	snapshot, _ = s.snapshot()
	if v := sweep.Conclude(snapshot).Verdicts[0]; v.State != plateau.StateLikelyPlateau {
		t.Fatalf("before: %s (%s)", v.State, prose.Reason(v))
	}

	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no such sweep":  {[]string{"confirm", "nothing"}, exitNotFound, "test"},
		"no name":        {[]string{"confirm"}, exitUsage, "arg"},
		"too few seeds":  {[]string{"confirm", "test", "--max-seeds", "2"}, exitUsage, "--max-seeds 3"},
		"no seeds":       {[]string{"confirm", "test", "--max-seeds", "0"}, exitUsage, "--max-seeds 0"},
		"another number": {[]string{"confirm", "test", "--max-seeds", "x"}, exitUsage, "--max-seeds"},
	} {
		r := s.start(s.sweep(test.args...))
		if code := r.wait(); code != test.code || !strings.Contains(r.said.String(), test.want) {
			t.Errorf("%s: exit %d, said %s", name, code, r.said.String())
		}
	}

	cmd := s.start(s.sweep("confirm", "test", "--max-seeds", "4", "--backend", "go", "--jobs", "1"))
	until(t, "an extra seed", func() bool { return s.extraAttempts() > 0 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.killWorkers()
	s.started = true
	s.finish()
	snapshot, _ = s.snapshot()
	v := sweep.Conclude(snapshot).Verdicts[0]
	if rule := snapshot.Sweep.Rule; !rule.Confirm || rule.MaxSeeds != 4 || v.State == plateau.StateRunning || v.Draw != nil {
		t.Errorf("after: %s, draw %v, confirm %v, max_seeds %d", v.State, v.Draw, rule.Confirm, rule.MaxSeeds)
	}
	var extra []int64
	for _, f := range snapshot.Ladders[0].Rungs[0].Trials {
		if f.Extra && f.Final() != nil {
			extra = append(extra, f.Trial.Seed)
		}
	}
	if diff := cmp.Diff([]int64{2, 3}, extra); diff != "" {
		t.Errorf("extra seeds of rank 1 (-want +got):\n%s", diff)
	}

	before := s.attempts()
	out, err := s.sweep("confirm", "test", "--max-seeds", "4", "--backend", "go").Output()
	if err != nil || !strings.Contains(string(out), "rank") || s.attempts() != before {
		t.Errorf("confirm again: %v, %d new attempts\n%s", err, s.attempts()-before, out)
	}
}

// TestConfirmOneSeed: of a ladder with one seed per rank, whose intervals rest on noise_sd, every rank gets a second seed, and
// the verdict rests on the two: certain where patience ran out, likely still where the grid ended before. min_gain is far
// above what these trials gain, so that rank 1 is the incumbent.
func TestConfirmOneSeed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		patience int
		state    plateau.State
	}{
		"patience ran out": {2, plateau.StatePlateau},
		"the grid ended":   {3, plateau.StateLikelyPlateau},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 6)
			s.edit("seeds: [0, 1]", "seeds: [0]")
			s.edit("{patience: 3}", fmt.Sprintf("{patience: %d, min_gain: 3}", test.patience))
			s.finish()
			before := s.verdict()
			if before.State != plateau.StateLikelyPlateau || !slices.Contains(before.Flags, plateau.FlagOneSeed) || s.attempts() != 3 {
				t.Fatalf("before: %s, flags %v, %d attempts (%s)", before.State, before.Flags, s.attempts(), prose.Reason(before))
			}

			confirm := func() (out, said string) {
				var b strings.Builder
				cmd := s.sweep("confirm", "test", "--backend", "go", "--jobs", "2")
				cmd.Stderr = &b
				stdout, err := cmd.Output()
				if err != nil {
					t.Fatalf("confirm: %v\n%s", err, b.String())
				}
				return string(stdout), b.String()
			}
			out, said := confirm()
			v := s.verdict()
			if v.State != test.state || v.RecommendedRank != 1 || slices.Contains(v.Flags, plateau.FlagOneSeed) {
				t.Errorf("after: %s, rank %d, flags %v (%s)", v.State, v.RecommendedRank, v.Flags, prose.Reason(v))
			}
			for _, r := range v.Rungs[1:] {
				if diff := cmp.Diff([]int64{0, 1}, r.Seeds); diff != "" || r.DF == nil || *r.DF != 1 || r.PairSD == nil || len(r.Earlier) != 1 ||
					r.Earlier[0].DF != nil {
					t.Errorf("rank %d does not rest on two seeds, and on noise_sd before: %+v", r.Rank, r)
				}
			}
			if n := s.extraAttempts(); n != 3 || s.attempts() != 6 {
				t.Errorf("%d attempts of extra seeds of %d, want 3 of 6", n, s.attempts())
			}
			if want := "ranks 1, 2 and 4 have 2 seeds"; !strings.Contains(out, want) {
				t.Errorf("the report lacks %q:\n%s", want, out)
			}
			stays := "ladder 1 stays a likely plateau with up to 2 seeds per rank: ranks 2 and 4 gain probably less than min_gain 3 over rank 1"
			if likely := test.state == plateau.StateLikelyPlateau; strings.Contains(said, stays) != likely {
				t.Errorf("it said %q: %v, want %v:\n%s", stays, !likely, likely, said)
			}
			if again, _ := confirm(); again != out || s.attempts() != 6 {
				t.Errorf("confirm again: %d attempts\n%s", s.attempts(), cmp.Diff(out, again))
			}
		})
	}
}

// verdict is that of the sweep's first ladder.
func (s *testSweep) verdict() plateau.Verdict {
	s.t.Helper()
	snapshot, ok := s.snapshot()
	if !ok {
		s.t.Fatal("the sweep cannot be read")
	}
	return sweep.Conclude(snapshot).Verdicts[0]
}
