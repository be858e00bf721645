package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// world is a sweep and what its trials come to: everything but what goes wrong.
type world struct {
	seed         uint64
	info         sweep.Info
	before       *smaller // the grid that it begins with; nil: that of info
	confirm      int      // seeds per rank that a person asked for; 0: nobody did
	registration sweep.Registration
	trainer      sweeptest.Trainer
	capacity     sweep.Capacity
	machine      int64 // bytes of memory that it has, which nobody knows; 0: enough

	id    int64
	files map[string][]byte // of the disk once the sweep is registered
	calm  tally             // of the history in which nothing goes wrong
	want  outcome           // likewise
}

// tally counts what can go wrong in a history.
type tally struct {
	calls, ops, starts, probes, reads, stops int
	took                                     time.Duration
}

// drawWorld draws a sweep, small: what matters is where it is disturbed.
func drawWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 0x0a11))
	pick := func(n int) int { return r.IntN(n) }
	ranks := [][]int{{1, 2}, {1, 2}, {1, 2, 4}, {2, 4, 8, 16}}[pick(4)]
	seeds := [][]int64{{0}, {0}, {0}, {0, 1}, {0, 1}, {0, 1, 2}}[pick(6)]
	alphas := [][]float64{{16}, {16}, {16}, {16}, {16, 32}}[pick(5)]
	var rates []float64
	if pick(8) == 0 {
		rates = []float64{1e-3, 3e-3}
	}
	w := &world{
		seed: seed, info: sweeptest.Info("simulated", seeds...), registration: sweeptest.TunedRegistration(rates, alphas, ranks, seeds),
		capacity: sweep.Capacity{Jobs: 1 + pick(3)},
	}
	w.info.Strategy = []sweep.Strategy{
		sweep.StrategyLadder, sweep.StrategyLadder, sweep.StrategyLadder, sweep.StrategyScreen, sweep.StrategyScout,
	}[pick(5)]
	w.info.Race = len(alphas) > 1 && pick(2) == 0
	w.info.Rule.Patience = 1 + pick(2)
	if len(seeds) > 1 && pick(3) == 0 {
		w.info.Rule.SeedsPerRank = plateau.NeededSeeds
	}
	if pick(6) == 0 {
		w.info.Rule.Stop = plateau.StopCertified
	}
	if pick(8) == 0 {
		w.confirm = len(seeds) + 1 + pick(2)
	}
	if pick(12) == 0 {
		for i := range w.registration.Ladders {
			w.registration.Ladders[i].Reference = sweeptest.Reference([]float64{3e-3}, seeds[:1])
		}
	}
	w.drawTrainer(r, ranks)
	defer w.drawExtension(r, alphas, ranks, seeds)
	w.drawMachine(r, ranks)
	w.drawLimits(r)
	return w
}

// drawTrainer draws what training shows: where the ladder flattens, its noise, and sometimes a rank that needs too much or diverges.
func (w *world) drawTrainer(r *rand.Rand, ranks []int) {
	knee, gain, noise := ranks[r.IntN(len(ranks))], 0.02+0.1*r.Float64(), []float64{0.001, 0.01, 0.03}[r.IntN(3)]
	salt := r.Uint64()
	w.trainer = sweeptest.Trainer{
		Boot: time.Duration(50+r.IntN(450)) * time.Millisecond, StepTime: time.Duration(20+r.IntN(300)) * time.Millisecond,
		Loss: func(t trial.Trial) float64 {
			s := t.Spec
			octaves := math.Log2(float64(max(1, min(s.LoRA.Rank, knee)))) // a reference has rank 0
			return 5 - gain*octaves + noise*roughly(salt, s.LoRA.Rank, s.Seed, s.LoRA.Alpha, s.Train.LearningRate)
		},
	}
	if worst := ranks[len(ranks)-1]; r.IntN(10) == 0 {
		w.trainer.Unstable = func(t trial.Trial) bool { return !t.Spec.LoRA.Full && t.Spec.LoRA.Rank == worst && t.Spec.Seed%2 == 0 }
	}
	if r.IntN(10) == 0 {
		w.trainer.Peak = func(t trial.Trial) int64 { return 100 + 10*int64(t.Spec.LoRA.Rank) }
		w.info.Limits.Memory = 100 + 10*int64(ranks[r.IntN(len(ranks))])
	}
}

// roughly is a number between -1 and 1 that depends on all that it is given.
func roughly(of ...any) float64 {
	h := fnv.New64a()
	fmt.Fprint(h, of...)
	return 2*float64(h.Sum64()>>11)/(1<<53) - 1
}

// register writes the sweep to a disk of its own, as `sweep run` does before it trains.
func (w *world) register(ctx context.Context, bare map[string][]byte, folder string, info sweep.Info, r sweep.Registration) (err error) {
	d := disk.New(bare, rand.New(rand.NewPCG(w.seed, 0xd15c)))
	p := d.NewProcess()
	defer disk.Mount(folder, p)()
	db, err := store.Open(ctx, filepath.Join(folder, database))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		w.files = d.Files()
		delete(w.files, database+"-wal") // it is empty
	}()
	if w.id, err = db.CreateSweep(ctx, info); err != nil {
		return err
	}
	if w.confirm > 0 {
		if err := db.Confirm(ctx, w.id, w.confirm, epoch); err != nil {
			return err
		}
	}
	return db.Register(ctx, w.id, r)
}

const database = "sweep.db"

// bareDatabase returns the files of a database without a sweep.
func bareDatabase(ctx context.Context, folder string) (map[string][]byte, error) {
	d := disk.New(nil, rand.New(rand.NewPCG(0, 0)))
	defer disk.Mount(folder, d.NewProcess())()
	db, err := store.Open(ctx, filepath.Join(folder, database))
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	files := d.Files()
	delete(files, database+"-wal")
	return files, nil
}

// hosts makes the folders in which two machines, and a person at a second terminal, see the disk.
func hosts(root string) error {
	for _, host := range []string{"a", "b", "person"} {
		if err := os.MkdirAll(filepath.Join(root, host), 0o700); err != nil {
			return err
		}
	}
	return nil
}
