package sweep_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// names writes launches as "alpha/rank/seed#number".
func names(s sweep.Snapshot, launches []sweep.Launch) []string {
	var out []string
	for _, l := range launches {
		for _, r := range s.Ladders[l.Ladder].Rungs {
			for _, t := range r.Trials {
				if t.Trial.ID == l.Trial {
					spec := t.Trial.Spec()
					out = append(out, strconv.FormatFloat(spec.LoRA.Alpha, 'g', -1, 64)+"/"+strconv.Itoa(l.Rank)+"/"+
						strconv.FormatInt(spec.Seed, 10)+"#"+strconv.Itoa(l.Number))
				}
			}
		}
	}
	return out
}

func TestDecideStarts(t *testing.T) {
	t.Parallel()
	at := func(s *sweep.Snapshot, ladder, rung, seed int) trial.ID {
		return s.Ladders[ladder].Rungs[rung].Trials[seed].Trial.ID
	}
	tests := map[string]struct {
		alphas   []float64
		facts    func(s *sweep.Snapshot) []trial.AttemptID
		capacity sweep.Capacity
		want     []string
	}{
		"a rung's seeds, then the next ladder": {
			[]float64{16, 32}, nil, sweep.Capacity{Jobs: 3}, []string{"16/1/0#1", "16/1/1#1", "32/1/0#1"},
		},
		"live ones count": {
			[]float64{16, 32}, func(s *sweep.Snapshot) []trial.AttemptID {
				return []trial.AttemptID{begin(s, at(s, 0, 0, 0))}
			}, sweep.Capacity{Jobs: 2}, []string{"16/1/1#1"},
		},
		"an attempt without outcome counts as live": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				begin(s, at(s, 0, 0, 0))
				return nil
			}, sweep.Capacity{Jobs: 2}, []string{"16/1/1#1"},
		},
		"a worker with an outcome that has not exited counts": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				id := begin(s, at(s, 0, 0, 0))
				conclude(s, at(s, 0, 0, 0), trial.Outcome{State: trial.OutcomeInterrupted})
				return []trial.AttemptID{id}
			}, sweep.Capacity{Jobs: 2}, []string{"16/1/1#1"},
		},
		"ranks that are sure to be reached begin on idle jobs": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				finish(s, at(s, 0, 0, 0), done(4.8))
				return []trial.AttemptID{begin(s, at(s, 0, 0, 1))}
			}, sweep.Capacity{Jobs: 3}, []string{"16/2/0#1", "16/2/1#1"},
		},
		"ranks beyond those wait": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				finishRung(s, 1, loss(4.8))
				finishRung(s, 2, loss(4.8))
				return []trial.AttemptID{begin(s, at(s, 0, 2, 0)), begin(s, at(s, 0, 2, 1))}
			}, sweep.Capacity{Jobs: 4}, nil,
		},
		"interrupted trials go first": {
			[]float64{16, 32}, func(s *sweep.Snapshot) []trial.AttemptID {
				finish(s, at(s, 1, 0, 1), trial.Outcome{State: trial.OutcomeInterrupted})
				finish(s, at(s, 1, 0, 1), trial.Outcome{State: trial.OutcomeCrashed})
				return nil
			}, sweep.Capacity{Jobs: 2}, []string{"32/1/1#3", "16/1/0#1"},
		},
		"a shared trial starts once": {
			[]float64{16, 16}, nil, sweep.Capacity{Jobs: 2}, []string{"16/1/0#1", "16/1/1#1"},
		},
		"a failed rung is finished, then the ladder stops": {
			[]float64{16, 32}, func(s *sweep.Snapshot) []trial.AttemptID {
				finish(s, at(s, 0, 0, 0), trial.Outcome{State: trial.OutcomeFailed})
				finish(s, at(s, 1, 0, 0), trial.Outcome{State: trial.OutcomeFailed})
				finish(s, at(s, 1, 0, 1), done(4.8))
				return nil
			}, sweep.Capacity{Jobs: 4}, []string{"16/1/1#1"},
		},
		"a rung over memory begins no other seed": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				finish(s, at(s, 0, 0, 0), trial.Outcome{State: trial.OutcomeOverMemory})
				return nil
			}, sweep.Capacity{Jobs: 4}, nil,
		},
		"time is up": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				s.Sweep.Limits.Time, s.Sweep.Elapsed = time.Hour, time.Hour
				return nil
			}, sweep.Capacity{Jobs: 4}, nil,
		},
		"tokens are spent": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				s.Sweep.Limits.Tokens, s.Sweep.Tokens = 1000, 1000
				return nil
			}, sweep.Capacity{Jobs: 4}, nil,
		},
		"the first of its kind runs alone where memory is bounded": {
			[]float64{16, 32}, nil, sweep.Capacity{Jobs: 4, HostBytes: 100}, []string{"16/1/0#1"},
		},
		"its prediction lets others join, as many as fit": {
			[]float64{16, 32}, func(s *sweep.Snapshot) []trial.AttemptID {
				id := begin(s, at(s, 0, 0, 0))
				predict(s, at(s, 0, 0, 0), 40)
				return []trial.AttemptID{id}
			}, sweep.Capacity{Jobs: 4, HostBytes: 100}, []string{"16/1/1#1"},
		},
		"the rung below stands in for an unknown one": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				finishRung(s, 1, loss(4.8))
				measure(s, at(s, 0, 0, 0), 60)
				return nil
			}, sweep.Capacity{Jobs: 4, HostBytes: 100}, []string{"16/2/0#1"},
		},
		"alone, a trial may need more than there is": {
			[]float64{16}, func(s *sweep.Snapshot) []trial.AttemptID {
				finishRung(s, 1, loss(4.8))
				measure(s, at(s, 0, 0, 0), 160)
				return nil
			}, sweep.Capacity{Jobs: 4, HostBytes: 100}, []string{"16/2/0#1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, tt.alphas, []int{1, 2, 4, 8}, 0, 1)
			var live []trial.AttemptID
			if tt.facts != nil {
				live = tt.facts(&s)
			}
			d := sweep.Decide(s, live, tt.capacity)
			if diff := cmp.Diff(tt.want, names(s, d.Start)); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
			if running := len(live) + len(d.Start); running > 0 && d.Done {
				t.Error("done while trials run")
			}
		})
	}
}

// TestDecideSharesGPUs has four trials of two ladders, each of which needs 40.
func TestDecideSharesGPUs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		known    bool // what the first, which runs, needs
		capacity sweep.Capacity
		want     int // trials that start
	}{
		"one each, whatever they need":           {false, sweep.Capacity{Jobs: 4, Devices: 4, DeviceBytes: 10}, 3},
		"two fit on one":                         {true, sweep.Capacity{Jobs: 4, Devices: 1, DeviceBytes: 100}, 1},
		"the first of its kind alone":            {false, sweep.Capacity{Jobs: 4, Devices: 1, DeviceBytes: 100}, 0},
		"two on each of two":                     {true, sweep.Capacity{Jobs: 4, Devices: 2, DeviceBytes: 80}, 3},
		"two could meet on one and do not fit":   {true, sweep.Capacity{Jobs: 4, Devices: 2, DeviceBytes: 79}, 0},
		"the host's memory is not what is short": {true, sweep.Capacity{Jobs: 4, Devices: 1, DeviceBytes: 160, HostBytes: 1}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16, 32}, []int{1, 2, 4}, 0, 1)
			s.Sweep.Platform = trial.PlatformCUDA
			first := s.Ladders[0].Rungs[0].Trials[0].Trial.ID
			live := []trial.AttemptID{begin(&s, first)}
			if tt.known {
				edit(&s, first, func(t *sweep.TrialFacts) { t.Memory.PeakDeviceBytes = new(int64(40)) })
			}
			if d := sweep.Decide(s, live, tt.capacity); len(d.Start) != tt.want {
				t.Errorf("starts %v, want %d", names(s, d.Start), tt.want)
			}
		})
	}
}

func predict(s *sweep.Snapshot, id trial.ID, bytes int64) {
	edit(s, id, func(t *sweep.TrialFacts) {
		t.Prediction = &trial.Prediction{AnalysisBytes: bytes / 2, PredictedBytes: bytes}
	})
}

func measure(s *sweep.Snapshot, id trial.ID, bytes int64) {
	edit(s, id, func(t *sweep.TrialFacts) { t.Memory.PeakHostBytes = &bytes })
}

func TestDecideStopsWhenALimitIsSpent(t *testing.T) {
	t.Parallel()
	for name, spend := range map[string]func(*sweep.Info){
		"time":   func(i *sweep.Info) { i.Limits.Time, i.Elapsed = time.Hour, time.Hour },
		"tokens": func(i *sweep.Info) { i.Limits.Tokens, i.Tokens = 1000, 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1, 2}, 0, 1)
			live := []trial.AttemptID{begin(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID)}
			spend(&s.Sweep)
			d := sweep.Decide(s, live, sweep.Capacity{Jobs: 2})
			if !slices.Equal(d.Stop, live) || d.Done || d.Verdicts[0].State != plateau.StateRunning {
				t.Errorf("with a live trial: stop %v, done %v, state %s", d.Stop, d.Done, d.Verdicts[0].State)
			}
			if reason := prose.Reason(d.Verdicts[0]); !strings.Contains(reason, "limits."+name+" ran out: running trials write their checkpoints") {
				t.Errorf("while it ends: %s", reason)
			}
			conclude(&s, live[0].Trial(), trial.Outcome{State: trial.OutcomeInterrupted})
			d = sweep.Decide(s, nil, sweep.Capacity{Jobs: 2})
			if !d.Done || d.Verdicts[0].State != plateau.StateTimeLimited {
				t.Errorf("without: done %v, state %s", d.Done, d.Verdicts[0].State)
			}
		})
	}
}

func TestDecideCalibrates(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{1, 2, 4}, 0, 1)
	for i, rank := range []int{1, 2} {
		finishRung(&s, rank, loss(4.8-0.2*float64(i)))
		for _, f := range s.Ladders[0].Rungs[i].Trials {
			predict(&s, f.Trial.ID, int64(2000+400*i)) // analysis 1000, 1200
			measure(&s, f.Trial.ID, int64(3000+500*i)+f.Trial.Seed)
		}
	}
	finish(&s, s.Ladders[0].Rungs[2].Trials[0].Trial.ID, trial.Outcome{State: trial.OutcomeCrashed})
	d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1})
	want := []sweep.Launch{{
		Ladder: 0, Rank: 4, Trial: s.Ladders[0].Rungs[2].Trials[0].Trial.ID, Number: 2,
		// Measured growth 3501 − 3001 = 500 over analysed growth 200.
		Calibration: &trial.Calibration{Rank: 2, PeakBytes: 3501, AnalysisBytes: 1200, Factor: 2.5},
		Checkpoints: []trial.AttemptID{s.Ladders[0].Rungs[2].Trials[0].Attempts[0].ID},
		HostBytes:   3501, Seconds: 1,
	}}
	if diff := cmp.Diff(want, d.Start); diff != "" {
		t.Errorf("start (-want +got):\n%s", diff)
	}
}

func TestCrashedOutNeedsNoProgress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		facts []func(*sweep.TrialFacts)
		want  bool // it starts again
	}{
		"four crashes":                  {[]func(*sweep.TrialFacts){crashes(4, -1)}, true},
		"five":                          {[]func(*sweep.TrialFacts){crashes(5, -1)}, false},
		"five, with a first checkpoint": {[]func(*sweep.TrialFacts){crashes(5, 0)}, true},
		"six, all at that checkpoint":   {[]func(*sweep.TrialFacts){crashes(6, 0)}, false},
		"five, then one further":        {[]func(*sweep.TrialFacts){crashes(4, 0), crashes(1, 50)}, true},
		"an interruption in between":    {[]func(*sweep.TrialFacts){crashes(3, -1), interruption, crashes(3, -1)}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1}, 0)
			for _, f := range tt.facts {
				edit(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, f)
			}
			if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1}); (len(d.Start) == 1) != tt.want || d.Done == tt.want {
				t.Errorf("start %v, done %v", d.Start, d.Done)
			}
		})
	}
}

func interruption(f *sweep.TrialFacts) {
	number := len(f.Attempts) + 1
	f.Attempts = append(f.Attempts, sweep.AttemptFacts{
		ID: trial.NewAttemptID(f.Trial.ID, number), Number: number, CheckpointStep: -1,
		Outcome: &trial.Outcome{State: trial.OutcomeInterrupted},
	})
}

// world is a random sweep whose trials have fixed fates: what Decide may not let depend on order.
type world struct {
	snapshot sweep.Snapshot
	fate     map[trial.ID]trial.Outcome
	capacity sweep.Capacity
	behind   []float64 // what a ladder's scouts lose beside the others', where scouts race
	tokens   int64     // that a trial trains on
}

func drawWorld(tb testing.TB, t *rapid.T) world {
	tb.Helper()
	ranks := []int{1, 2, 4, 8, 16, 32}[:7-rapid.IntRange(1, 6).Draw(t, "ranks")]
	seeds := []int64{0, 1, 2, 3}[:5-rapid.IntRange(1, 4).Draw(t, "seeds")]
	alphas := []float64{16, 32, 16}[:rapid.IntRange(1, 3).Draw(t, "ladders")] // the third shares the first's trials
	rates := [][]float64{nil, nil, {1e-3, 3e-3}}[rapid.IntRange(0, 2).Draw(t, "tuned")]
	w := world{
		snapshot: registeredTuned(tb, rates, alphas, ranks, seeds...), fate: map[trial.ID]trial.Outcome{},
		capacity: sweep.Capacity{Jobs: rapid.IntRange(1, 5).Draw(t, "jobs")},
	}
	if rapid.Bool().Draw(t, "needed seeds") {
		w.snapshot.Sweep.Rule.SeedsPerRank = plateau.NeededSeeds
	}
	switch rapid.IntRange(0, 2).Draw(t, "certainty") {
	case 1:
		w.snapshot.Sweep.Rule.Stop = plateau.StopCertified
	case 2:
		w.snapshot.Sweep.Confirm(len(seeds) + rapid.IntRange(0, 3).Draw(t, "extra seeds"))
	}
	for _, l := range w.snapshot.Ladders {
		for _, r := range l.Rungs {
			kind := map[int]trial.OutcomeState{28: trial.OutcomeOverMemory, 29: trial.OutcomeOverTime}[rapid.IntRange(0, 29).Draw(t, "rung")]
			for _, f := range r.Trials {
				if _, known := w.fate[f.Trial.ID]; !known {
					w.fate[f.Trial.ID] = drawFate(t, kind, r.Rank)
				}
			}
		}
	}
	return w
}

func drawFate(t *rapid.T, rung trial.OutcomeState, rank int) trial.Outcome {
	if rung != "" {
		return trial.Outcome{State: rung}
	}
	switch rapid.IntRange(0, 79).Draw(t, "fate") {
	case 77: // rapid prefers small numbers
		return trial.Outcome{State: trial.OutcomeFailed, Error: "no luck"}
	case 78, 79:
		return trial.Outcome{State: trial.OutcomeUnstable, Step: 2}
	}
	return done(4.5 + 0.5/float64(rank*rank*rank) + 1e-3*float64(rapid.IntRange(0, 20).Draw(t, "noise")))
}

// work lets Decide run the world to its end in a random order, checking every decision, and returns the final facts.
func (w world) work(t *rapid.T, order string) sweep.Snapshot {
	s := w.snapshot
	s.Ladders = slices.Clone(s.Ladders)
	var known sweep.Decider
	var leaving []trial.AttemptID // it has had its last word, but its process may still be there
	w.capacity.Jobs = rapid.IntRange(1, 9).Draw(t, order+" jobs")
	var live []trial.AttemptID
	screens := map[trial.ID][]int{}
	for round := range 10000 {
		d := sweep.Decide(s, live, w.capacity)
		w.check(t, s, live, d)
		sameDecision(t, d, known.Decide(s, live, w.capacity))
		if live := slices.Concat(live, leaving); round%8 == 0 {
			sameDecision(t, sweep.Decide(s, live, w.capacity), known.Decide(s, live, w.capacity))
			checkPaused(t, s, live, w.capacity)
		}
		w.register(t, &s, d)
		for _, l := range d.Start {
			live = append(live, launched(&s, l.Trial))
			screens[l.Trial] = l.Screen
			if ranks := unshown(s, l.Trial); ranks != nil {
				screens[l.Trial] = ranks
			}
		}
		if d.Done {
			return s
		}
		if len(live) == 0 && len(d.Register) > 0 {
			continue
		}
		if len(live) == 0 {
			t.Fatalf("%s: nothing runs, nothing starts, and it is not done", order)
		}
		i := rapid.IntRange(0, len(live)-1).Draw(t, order)
		if len(d.Stop) > 0 {
			i = slices.Index(live, d.Stop[0])
		}
		id := live[i].Trial()
		leaving = []trial.AttemptID{live[i]}
		live = slices.Delete(live, i, i+1)
		interrupted := len(d.Stop) > 0 || rapid.IntRange(0, 9).Draw(t, order+" interrupted") == 0
		ranks := screens[id]
		if interrupted {
			ranks = ranks[:rapid.IntRange(0, len(ranks)).Draw(t, order+" screened")]
		}
		w.screen(&s, id, ranks)
		if interrupted {
			conclude(&s, id, trial.Outcome{State: trial.OutcomeInterrupted})
		} else {
			conclude(&s, id, w.fate[id])
		}
		if w.tokens > 0 {
			edit(&s, id, func(f *sweep.TrialFacts) { f.Tokens += w.tokens })
			s.CountTokens()
		}
	}
	t.Fatalf("%s: no end", order)
	return s
}

// sameDecision fails where one who knows what was decided before decides otherwise.
func sameDecision(t *rapid.T, anew, known sweep.Decision) {
	if !reflect.DeepEqual(anew, known) {
		t.Fatalf("a decider that kept conclusions decides otherwise (-anew +kept):\n%s", cmp.Diff(anew, known))
	}
}

// screen truncates the adapter of a trial that will be done. It loses something at every rank, and more far below its own.
func (w world) screen(s *sweep.Snapshot, id trial.ID, ranks []int) {
	fate := w.fate[id]
	if fate.State != trial.OutcomeDone {
		return
	}
	edit(s, id, func(t *sweep.TrialFacts) {
		for _, rank := range ranks {
			loss := *fate.ValLoss + 0.5/float64(rank*rank)
			t.Screened = append(t.Screened, trial.Screened{Rank: rank, ValLoss: loss})
		}
	})
}

// check holds what must be true of every decision.
func (w world) check(t *rapid.T, s sweep.Snapshot, live []trial.AttemptID, d sweep.Decision) {
	if len(live)+len(d.Start) > w.capacity.Jobs {
		t.Fatalf("%d live and %d starts with %d jobs", len(live), len(d.Start), w.capacity.Jobs)
	}
	if limit := s.Sweep.Limits.Tokens; limit > 0 && s.Sweep.Tokens >= limit &&
		(len(d.Start)+len(d.Register) > 0 || !slices.Equal(d.Stop, live)) {
		t.Fatalf("%d of %d tokens are spent: %v runs, %v stops, %v starts, %v is drawn", s.Sweep.Tokens, limit, live, d.Stop, d.Start, d.Register)
	}
	for i, v := range d.Verdicts {
		complete := func(r sweep.Rung) bool {
			return !slices.ContainsFunc(r.Trials, func(f sweep.TrialFacts) bool { return f.State() != sweep.TrialDone })
		}
		climbs := s.Sweep.Strategy == sweep.StrategyLadder && v.State == plateau.StateRunning
		if climbs && v.RecommendedRank == 0 && slices.ContainsFunc(s.Ladders[i].Rungs, complete) {
			t.Fatalf("ladder %d: no rank is recommended, and one is complete: %+v", i+1, v)
		}
	}
	busy := map[trial.ID]bool{}
	for _, id := range live {
		busy[id.Trial()] = true
	}
	for _, l := range d.Start {
		if busy[l.Trial] {
			t.Fatalf("trial %s would run twice at once", l.Trial)
		}
		busy[l.Trial] = true
		switch ladder := s.Ladders[l.Ladder]; {
		case l.Rank == 0:
			checkReference(t, s, l)
		case s.Sweep.Strategy == sweep.StrategyScreen:
			checkScreen(t, ladder, l)
		case s.Sweep.Strategy.Scouts():
			checkScouts(t, s, l)
		case w.snapshot.Sweep.Rule.SeedsPerRank == plateau.NeededSeeds && len(s.Sweep.Seeds) > 1 && len(ladder.Candidates) < 2:
			w.checkNeeded(t, ladder, l)
		default:
			w.checkRung(t, ladder, l)
		}
	}
}

// register adds the trials that a decision draws, with fates that are the same in every order.
func (w world) register(t *rapid.T, s *sweep.Snapshot, d sweep.Decision) {
	for _, drawn := range d.Register {
		own(&s.Ladders[drawn.Ladder])
		for _, extra := range drawn.Trials {
			if extra.Trial.Spec().Shrink != nil {
				w.registerScout(t, s, drawn.Ladder, extra)
				continue
			}
			rungs := s.Ladders[drawn.Ladder].Rungs
			r := slices.IndexFunc(rungs, func(r sweep.Rung) bool { return r.Rank == extra.Rank })
			if chosen, ok := rungs[r].Chosen(); !ok || chosen != extra.Candidate || slices.Contains(s.Sweep.Seeds, extra.Trial.Seed) {
				t.Fatalf("seed %d is drawn for candidate %d of rank %d, whose chosen one is %d (%v)", extra.Trial.Seed, extra.Candidate,
					extra.Rank, chosen, ok)
			}
			for _, f := range rungs[r].Trials {
				if f.Trial.ID == extra.Trial.ID {
					t.Fatalf("trial %s is drawn twice", extra.Trial.ID)
				}
			}
			facts := sweep.TrialFacts{Trial: extra.Trial, Candidate: extra.Candidate, Extra: true}
			for _, l := range s.Ladders { // a shared trial may be known
				for _, rung := range l.Rungs {
					for _, f := range rung.Trials {
						if f.Trial.ID == extra.Trial.ID {
							facts.Attempts, facts.Tokens = slices.Clone(f.Attempts), f.Tokens
						}
					}
				}
			}
			at := len(rungs[r].Trials)
			for i, f := range rungs[r].Trials {
				if f.Candidate == extra.Candidate {
					at = i + 1
				}
			}
			rungs[r].Trials = slices.Insert(rungs[r].Trials, at, facts)
			if _, known := w.fate[extra.Trial.ID]; !known {
				w.fate[extra.Trial.ID] = drawFate(t, "", extra.Rank)
			}
		}
	}
}

// checkRung fails if a trial may not be started: the rule has stopped below, or would if all lower rungs that are not finished were
// strikes; and an extra seed where the rule does not draw it.
func (w world) checkRung(t *rapid.T, l sweep.Ladder, launch sweep.Launch) {
	at := slices.IndexFunc(l.Rungs, func(r sweep.Rung) bool { return r.Rank == launch.Rank })
	extra := slices.ContainsFunc(l.Rungs[at].Trials, func(f sweep.TrialFacts) bool { return f.Extra && f.Trial.ID == launch.Trial })
	var counted []plateau.Losses
	for i, r := range l.Rungs {
		if _, counts := r.Chosen(); counts && (extra || i < at) {
			counted = append(counted, r.Losses())
			continue
		}
		if extra || i >= at {
			break
		}
		counted = append(counted, hopeless(r.Rank, w.snapshot.Sweep.Seeds))
	}
	if len(counted) == 0 {
		return
	}
	rule := w.snapshot.Sweep.Rule
	rule.GridSeeds, rule.SeedsPerRank = w.snapshot.Sweep.Seeds, plateau.EverySeed
	if len(counted) < len(l.Rungs) { // the ladder goes on: what the rule says where it ends must not start anything
		better := plateau.Losses{
			Rank: l.Rungs[len(counted)].Rank, Seeds: rule.GridSeeds, ValLoss: make([]float64, len(rule.GridSeeds)),
			Complete: true,
		}
		counted = append(counted, better)
	}
	v, err := rule.Judge(counted)
	if err != nil {
		t.Fatalf("rank %d starts though a rung below has no loss: %v", launch.Rank, err)
	}
	if extra {
		if v.Draw == nil || !slices.Contains(v.Draw.Ranks, launch.Rank) {
			t.Fatalf("an extra seed of rank %d is trained, but the rule draws %+v", launch.Rank, v.Draw)
		}
		return
	}
	if v.Rungs[at].Decision == plateau.DecisionBeyond {
		t.Fatalf("rank %d starts beyond a plateau", launch.Rank)
	}
}

// hopeless are losses that gain over no others.
func hopeless(rank int, seeds []int64) plateau.Losses {
	l := plateau.Losses{Rank: rank, Seeds: seeds, ValLoss: make([]float64, len(seeds)), Complete: true}
	for i := range l.ValLoss {
		l.ValLoss[i] = 100
	}
	return l
}

// waiting reports whether some of a rung's trials of these seeds are not over, and how many were unstable.
func waiting(r sweep.Rung, seeds []int64) (pending bool, unstable int) {
	for _, f := range r.Trials {
		if slices.Contains(seeds, f.Trial.Seed) {
			pending = pending || !f.State().Over()
			if f.State() == sweep.TrialUnstable {
				unstable++
			}
		}
	}
	return pending, unstable
}

// checkNeeded fails if a trial is started that a sparing climb did not ask for, nor would to claim a plateau, nor certainly asks for next.
func (w world) checkNeeded(t *rapid.T, l sweep.Ladder, launch sweep.Launch) {
	rule := w.snapshot.Sweep.Rule
	rule.GridSeeds = w.snapshot.Sweep.Seeds
	c := plateau.NewClimb(rule, plateau.Quantiles{})
	var seed int64
	for _, r := range l.Rungs {
		for _, f := range r.Trials {
			if f.Trial.ID == launch.Trial {
				seed = f.Trial.Seed
			}
		}
	}
	for i, r := range l.Rungs {
		pending, unstable := waiting(r, c.NextSeeds())
		if !pending && 2*unstable > len(c.NextSeeds()) {
			c.WantAll()
			pending, _ = waiting(r, c.NextSeeds())
		}
		if !pending {
			c.Add(r.Losses())
		}
		switch asked := c.Draw; {
		case !pending && asked == nil && !c.Stopped:
			continue
		case asked != nil && slices.Contains(asked.Ranks, launch.Rank) && slices.Contains(asked.Seeds, seed):
		case (pending || asked != nil && asked.Grid) && slices.Contains(rule.GridSeeds, seed) && claims(c, r.Rank, launch.Rank):
		case pending && launch.Rank > r.Rank && slices.Contains(rule.GridSeeds, seed) && certain(c, l.Rungs[i:], launch.Rank):
		case asked != nil && asked.Grid && slices.IndexFunc(l.Rungs, at(launch.Rank))-i <= c.Certain():
		default:
			t.Fatalf("seed %d of rank %d starts at rank %d (pending %v), while the rule asks for %+v", seed, launch.Rank, r.Rank, pending, asked)
		}
		return
	}
	c.Finish()
	if d := c.Draw; d == nil || !slices.Contains(d.Seeds, seed) || !slices.Contains(d.Ranks, launch.Rank) && !d.Grid {
		t.Fatalf("seed %d of rank %d starts, while the rule asks for %+v at the end", seed, launch.Rank, d)
	}
}

func at(rank int) func(sweep.Rung) bool { return func(r sweep.Rung) bool { return r.Rank == rank } }

// claims reports whether a claim made at a rank would rest on another one.
func claims(c *plateau.Climb, at, rank int) bool {
	return rank == at || rank < at && len(c.Rungs) > 0 && rank >= c.Rungs[c.Incumbent].Rank
}

// certain reports whether a climb that waits for the first of these rungs gets to the rank, even if all rungs below it were strikes.
func certain(c *plateau.Climb, rungs []sweep.Rung, rank int) bool {
	for _, r := range rungs {
		if r.Rank == rank {
			return true
		}
		if c.Add(hopeless(r.Rank, c.NextSeeds())); c.Stopped || c.Draw != nil && !slices.Contains(c.Draw.Ranks, r.Rank) {
			return false
		}
		c.Draw = nil
	}
	return false
}

// TestDecideSafeAndOrderFree: no order of events leads beyond a plateau, to a trial twice at once, or to another verdict.
func TestDecideSafeAndOrderFree(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		first, second := w.work(rt, "first order"), w.work(rt, "second order")
		checkSame(rt, first, second)
	})
}

// checkSame returns the verdicts on the facts of two orders, which must be equal and such as a store can keep.
func checkSame(t *rapid.T, first, second sweep.Snapshot) []plateau.Verdict {
	verdicts, others := sweep.Conclude(first).Verdicts, sweep.Conclude(second).Verdicts
	for i, v := range verdicts {
		if _, err := json.Marshal(v); err != nil {
			t.Fatalf("the verdict of ladder %d cannot be stored: %v: %+v", i, err, v)
		}
		if diff := cmp.Diff(v, others[i]); diff != "" {
			t.Fatalf("verdict of ladder %d (-first +second):\n%s", i, diff)
		}
		checkUndominated(t, first.Sweep, first.Ladders[i], v)
	}
	return verdicts
}

// checkUndominated fails if a lower trained rank has a better mean than the one that is recommended. Where no trial was lost or drawn the
// verdict's own means say so, which share a level whatever seeds they rest on; else only ranks that have the incumbent's seeds compare.
func checkUndominated(t *rapid.T, info sweep.Info, l sweep.Ladder, v plateau.Verdict) {
	losses := map[int]map[int64]float64{} // by rank and seed
	plain := true
	for _, r := range v.Rungs {
		seeds := map[int64]float64{}
		i := slices.IndexFunc(l.Rungs, func(of sweep.Rung) bool { return of.Rank == r.Rank })
		for _, f := range l.Rungs[i].ChosenRung().Trials {
			asked := info.Seeds
			if r.GridSeeds > 0 {
				asked = asked[:r.GridSeeds]
			}
			if f.State() == sweep.TrialDone && (f.Extra || slices.Contains(asked, f.Trial.Seed)) {
				seeds[f.Trial.Seed] = *f.Final().ValLoss
			}
			plain = plain && !f.Extra && (f.State() == sweep.TrialDone || f.State() == sweep.TrialPending)
		}
		losses[r.Rank] = seeds
	}
	at := slices.IndexFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.Rank == v.RecommendedRank })
	for _, lower := range v.Rungs[:max(0, at)] {
		recommended, than := v.Rungs[at].ValLoss.Mean, lower.ValLoss.Mean
		if !plain {
			mine, other := losses[v.RecommendedRank], losses[lower.Rank]
			seeds := slices.Collect(maps.Keys(losses[v.Incumbent()]))
			if !sameSeeds(mine, seeds) || !sameSeeds(other, seeds) {
				continue
			}
			recommended, than = sum(mine), sum(other)
		}
		if than < recommended-1e-9 {
			t.Fatalf("rank %d is recommended (%v), and rank %d is better (%v): %+v", v.RecommendedRank, recommended, lower.Rank, than, v)
		}
	}
}

func sameSeeds(losses map[int64]float64, seeds []int64) bool {
	return len(losses) == len(seeds) && !slices.ContainsFunc(seeds, func(s int64) bool { _, ok := losses[s]; return !ok })
}

func sum(losses map[int64]float64) (total float64) {
	for _, y := range losses {
		total += y
	}
	return total
}

func TestDecideNeedsNoLadders(t *testing.T) {
	t.Parallel()
	if d := sweep.Decide(sweep.Snapshot{Sweep: sweeptest.Info("empty")}, nil, sweep.Capacity{Jobs: 1}); !d.Done {
		t.Errorf("Decide of nothing = %v, want done", d)
	}
}
