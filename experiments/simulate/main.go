package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

// run simulates one history, or as many as the time allows.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "mutants" {
		return findMutants(ctx, args[1:], stdout)
	}
	s := simulation{out: stdout}
	var seed string
	f := flag.NewFlagSet("simulate", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&seed, "seed", "", "the one history to simulate; all faults that it draws are printed with -v")
	f.Uint64Var(&s.first, "from", rand.Uint64()>>16, "the first of the seeds to simulate")
	f.DurationVar(&s.time, "time", 2*time.Minute, "how long to go on")
	f.IntVar(&s.most, "histories", 0, "how many to simulate at most; 0 means as many as the time allows")
	f.IntVar(&s.jobs, "jobs", runtime.NumCPU(), "histories at a time")
	f.BoolVar(&s.verbose, "v", false, "print what happens")
	profile := f.String("cpuprofile", "", "file to write a CPU profile to")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		p, err := os.Create(*profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(p); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if err := disk.Register(); err != nil {
		return err
	}
	root, err := os.MkdirTemp("", "simulate-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	s.root = root
	if s.bare, err = bareDatabase(ctx, root); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	if seed == "" {
		return s.many(ctx)
	}
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return fmt.Errorf("-seed %s: want a number", seed)
	}
	return s.one(ctx, n)
}

// perWorld is how many seeds share a world: what it comes to without faults is worked out once for all of them.
const perWorld = 32

// simulation is a run of histories.
type simulation struct {
	out     io.Writer
	root    string
	bare    map[string][]byte
	first   uint64
	time    time.Duration
	most    int
	jobs    int
	verbose bool

	histories, coordinators, starts, calls atomic.Int64
	mu                                     sync.Mutex
	happened                               map[kind]int
	ends                                   map[string]int
}

// errWrong says that a history went as none must.
var errWrong = errors.New("the simulation found a history that must not be")

func (s *simulation) one(ctx context.Context, seed uint64) error {
	if err := hosts(s.root); err != nil {
		return err
	}
	w, err := s.prepare(ctx, seed/perWorld, s.root)
	if err != nil {
		return err
	}
	return s.simulate(ctx, w, seed, s.root)
}

// prepare draws a world and lets its calm history happen.
func (s *simulation) prepare(ctx context.Context, seed uint64, root string) (*world, error) {
	w := drawWorld(seed)
	folder := filepath.Join(root, "a")
	if err := w.register(ctx, s.bare, folder, w.info, w.registration); err != nil {
		return nil, fmt.Errorf("world %d: %w", seed, err)
	}
	h := newHistory(w, root, rand.New(rand.NewPCG(seed, 1)), nil, nil)
	if h.run(ctx); len(h.wrongs) > 0 {
		return nil, fmt.Errorf("world %d without faults: %w: %s", seed, errWrong, h.wrongs[0])
	}
	w.calm, w.want = h.tally, *h.ends
	if w.before != nil {
		if err := w.register(ctx, s.bare, folder, w.before.info, w.before.registration); err != nil {
			return nil, fmt.Errorf("world %d: %w", seed, err)
		}
	}
	return w, nil
}

// simulate lets one history of a world happen.
func (s *simulation) simulate(ctx context.Context, w *world, seed uint64, root string) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	faults := drawFaults(rng, w.calm)
	var say func(string, ...any)
	if s.verbose {
		say = func(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }
		w.describe(say)
	}
	h := newHistory(w, root, rng, faults, say)
	h.extendLater()
	h.run(ctx)
	s.count(h, faults)
	if len(h.wrongs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: seed %d: %s\nreplay it: go run ./experiments/simulate -seed %d -v", errWrong, seed, h.wrongs[0], seed)
}

func (w *world) describe(say func(string, ...any)) {
	say("world %d: %s, seeds %v, %d jobs, limits %+v, confirm %d, rule %+v", w.seed, w.info.Strategy, w.info.Seeds, w.capacity.Jobs,
		w.info.Limits, w.confirm, w.info.Rule)
	say("without faults %s after %v: %+v", w.want, w.calm.took, w.calm)
}

// many simulates worlds until the time is up.
func (s *simulation) many(ctx context.Context) error {
	fmt.Fprintf(s.out, "simulate: histories from seed %d on, %d at a time, for %v\n", s.first, s.jobs, s.time)
	s.happened, s.ends = map[kind]int{}, map[string]int{}
	began := time.Now()
	var next atomic.Uint64
	next.Store(s.first / perWorld)
	group, ctx := errgroup.WithContext(ctx)
	for job := range s.jobs {
		root := filepath.Join(s.root, strconv.Itoa(job))
		if err := hosts(root); err != nil {
			return err
		}
		group.Go(func() error {
			for time.Since(began) < s.time && !s.enough() && ctx.Err() == nil {
				w, err := s.prepare(ctx, next.Add(1), root)
				if err != nil {
					return err
				}
				for i := uint64(0); i < perWorld && !s.enough() && ctx.Err() == nil; i++ {
					if err := s.simulate(ctx, w, w.seed*perWorld+i, root); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	err := group.Wait()
	s.report(time.Since(began))
	return err
}

func (s *simulation) enough() bool { return s.most > 0 && s.histories.Load() >= int64(s.most) }

func (s *simulation) count(h *history, faults []fault) {
	s.histories.Add(1)
	s.coordinators.Add(int64(h.born))
	s.starts.Add(int64(h.starts))
	s.calls.Add(int64(h.calls))
	if s.happened == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.happened[f.kind]++
	}
	for _, f := range h.faults {
		s.happened[f.kind]--
	}
	if h.ends != nil {
		for _, v := range h.ends.verdicts {
			s.ends[string(v.State)]++
		}
	}
}

func (s *simulation) report(took time.Duration) {
	n := s.histories.Load()
	fmt.Fprintf(s.out, "%d histories in %v: %.0f a second; %d coordinators, %d launches, %d calls to the store\n", n, took.Round(time.Second),
		float64(n)/took.Seconds(), s.coordinators.Load(), s.starts.Load(), s.calls.Load())
	for _, k := range kinds() {
		fmt.Fprintf(s.out, "%8d  %s\n", s.happened[k.kind], k.kind)
	}
	fmt.Fprintf(s.out, "verdicts: %v\n", s.ends)
}
