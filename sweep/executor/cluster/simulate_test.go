package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestSimulatedSubmissions has what Simulate does on the world as a queue of its own, and on pilots before it.
func TestSimulatedSubmissions(t *testing.T) {
	t.Parallel()
	t.Run("queue", func(t *testing.T) {
		t.Parallel()
		Simulate(t, func(w *World) Queue { return w })
	})
	t.Run("pilots", func(t *testing.T) {
		t.Parallel()
		Simulate(t, func(w *World) Queue {
			return &Pilots{
				Queue: w, Root: w.root, Script: Script{Command: []string{"sweep", "worker"}}, Crew: 16, Clock: w, Log: slog.New(slog.DiscardHandler),
			}
		})
	})
}

// Simulate trains 2,000 trials in a world where requests and replies get lost, states are wrong, files are late, jobs die and are
// forgotten, and the coordinator is killed between any two steps. Each coordinator asks a queue of its own of that world. SWEEP_CLUSTER_TRIALS=N has
// another number of them, SWEEP_CLUSTER_SEED=N another world.
func Simulate(t *testing.T, queue func(*World) Queue) {
	t.Helper()
	seed, trials := setting(t, "SWEEP_CLUSTER_SEED", time.Now().UnixNano()), setting(t, "SWEEP_CLUSTER_TRIALS", 2000)
	w := newWorld(t, uint64(seed))
	c := coordinator{World: w, queue: queue, trials: make([]simTrial, trials)}
	for lives := 1; !c.live(); lives++ {
		if w.now > 30*24*time.Hour {
			t.Fatalf("seed %d: not done after a month", seed)
		}
	}
	w.advance(24 * time.Hour) // what is still in the queue
	attempts := 0
	for i := range c.trials {
		attempts += len(c.trials[i].attempts)
		if id := c.id(i); w.done[id] != 1 {
			t.Errorf("trial %s was trained %d times", id, w.done[id])
		}
	}
	for id, n := range w.runs {
		if n != 1 {
			t.Errorf("attempt %s ran %d times", id, n)
		}
	}
	t.Logf("seed %d: %d trials, %d attempts, %d ran, %d coordinators, %d submissions, %d asked, %v", seed, trials, attempts, len(w.runs),
		c.lives, w.submitted, w.asked, w.now.Round(time.Second))
	if t.Failed() {
		t.Logf("again: SWEEP_CLUSTER_SEED=%d SWEEP_CLUSTER_TRIALS=%d go test ./sweep/executor/cluster -run '%s'", seed, trials, t.Name())
	}
}

func setting(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// killed is what a coordinator panics with.
var errKilled = errors.New("killed")

// coordinator is as much of a scheduler as the executor needs, with what its database knows.
type coordinator struct {
	*World
	queue  func(*World) Queue
	trials []simTrial
	lives  int
}

type simTrial struct {
	attempts []trial.OutcomeState // by number; "" while it is open
}

func (c *coordinator) id(i int) trial.ID { return trial.ID(fmt.Sprintf("t%04d", i)) }

func (s simTrial) state() trial.OutcomeState {
	if len(s.attempts) == 0 {
		return trial.OutcomeCrashed
	}
	return s.attempts[len(s.attempts)-1]
}

// live is one coordinator's life. It reports whether all trials are done.
func (c *coordinator) live() (done bool) {
	c.lives++
	defer func() {
		if r := recover(); r != nil && r != any(errKilled) {
			panic(r)
		}
	}()
	e := &Executor{
		Root: c.root, Queue: c.queue(c.World), Script: Script{Command: []string{"sweep", "worker"}}, Clock: c.World,
		Log: slog.New(slog.DiscardHandler), step: func() { c.mayKill(500) },
	}
	for {
		open, left := 0, false
		for i := range c.trials {
			switch c.trials[i].state() {
			case trial.OutcomeDone:
				continue
			case "":
				open++
				c.watch(e, i)
			default:
				if open < 80 {
					open++
					c.start(e, i)
				}
			}
			left = true
			if open >= 80 {
				break
			}
		}
		if !left {
			return true
		}
		c.mayKill(400)
		c.advance(c.upTo(10 * time.Second))
	}
}

func (c *coordinator) mayKill(oneIn int) {
	if c.rng.IntN(oneIn) == 0 {
		panic(errKilled)
	}
}

func (c *coordinator) start(e *Executor, i int) {
	s := &c.trials[i]
	s.attempts = append(s.attempts, "")
	c.mayKill(500)
	id := trial.NewAttemptID(c.id(i), len(s.attempts))
	if err := e.Start(context.Background(), trial.Assignment{Attempt: id, Trial: trial.Trial{ID: c.id(i)}}); err != nil {
		c.t.Fatalf("start %s: %v", id, err)
	}
}

// watch takes note of how the trial's last attempt has ended, if it has.
func (c *coordinator) watch(e *Executor, i int) {
	s, ctx := &c.trials[i], context.Background()
	id := trial.NewAttemptID(c.id(i), len(s.attempts))
	if c.rng.IntN(3000) == 0 {
		if err := e.Stop(ctx, id, c.rng.IntN(2) == 0); err != nil {
			c.t.Fatalf("stop %s: %v", id, err)
		}
	}
	p, err := e.Probe(ctx, id)
	if err != nil {
		c.t.Fatalf("probe %s: %v", id, err)
	}
	events, err := e.Events(ctx, id, 0)
	if err != nil {
		c.t.Fatalf("events of %s: %v", id, err)
	}
	if p.Alive {
		return
	}
	state := trial.OutcomeCrashed
	if n := len(events); n > 0 && events[n-1].Outcome != nil {
		state = events[n-1].Outcome.State
	}
	if c.ended[id] != "" && c.ended[id] != state {
		c.t.Errorf("attempt %s has ended %s, and is taken to be %s: %+v", id, c.ended[id], state, p)
	}
	s.attempts[len(s.attempts)-1] = state
}
