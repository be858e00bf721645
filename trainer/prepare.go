package trainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// tensors are named tensors in host memory.
type tensors = map[string]weights.Array

// setup is what an attempt prepares before it can train.
type setup struct {
	batches    corpus.Batches
	scorer     scorer
	targets    []lora.Module
	start      tensors // what init: pissa took away from the base; else empty
	prediction trial.Prediction
}

// restore is the advice for a trial whose inputs changed under it. Its failure is final in its own sweep, since nothing tells
// that they are back; another sweep of the same grid tries it again.
const restore = "restore it, then: sweep retry --failed"

// prepare checks the inputs against the assignment, says where it runs, loads the base onto the device, compiles the real
// step, and says what memory that will need.
func (t *training) prepare(ctx context.Context) error {
	spec := t.Trial.Spec
	if err := checkRecipe(spec.Train); err != nil {
		return err
	}
	targets, err := spec.LoRA.Match(t.Model.Modules)
	if err != nil {
		return err
	}
	t.targets = targets
	if err := t.started(ctx); err != nil {
		return err
	}
	if err := t.openCorpus(); err != nil {
		return err
	}
	if t.backend == nil {
		if t.backend, err = backend.Open(t.Platform, t.PluginPath, t.Device); err != nil {
			return err
		}
	}
	t.beat()
	if err := t.load(ctx); err != nil {
		return err
	}
	t.beat()
	if err := t.program.Compile(ctx); err != nil {
		return err
	}
	t.beat()
	t.scorer = newScorer(t.program, t.corpus)
	if err := t.program.CompileEvaluation(t.scorer.size, t.scorer.length); err != nil {
		return err
	}
	backend.ReleaseMemory() // what compiling took
	if t.prepared == 0 {
		if t.prepared, err = backend.PeakHostBytes(); err != nil {
			return err
		}
	}
	if t.prediction, err = t.predict(); err != nil {
		return err
	}
	return t.emit(trial.Event{Kind: trial.EventPredicted, Prediction: &t.prediction})
}

// started emits where the attempt runs, and refuses to run on another backend than the trial's.
func (t *training) started(ctx context.Context) error {
	want := t.Platform
	if t.PluginPath != "" {
		want = t.PluginPath
	}
	choice, err := backend.Resolve(ctx, want)
	if err != nil {
		return err
	}
	if t.Trial.Backend != choice.Identity {
		return fmt.Errorf("this trial belongs to backend %q, and %s is now %q: another plug-in rounds differently, so a ladder stays on one; %s",
			t.Trial.Backend, want, choice.Identity, restore)
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	var device string
	if t.Device < len(choice.Devices) {
		device = choice.Devices[t.Device]
	}
	params, err := t.Trial.Spec.LoRA.TrainableParams(t.Model.Modules, t.Model.Tensors)
	if err != nil {
		return err
	}
	return t.emit(trial.Event{Kind: trial.EventStarted, Attempt: t.Attempt, Environment: &trial.Environment{
		PID: os.Getpid(), Host: host, Cores: t.Cores, Backend: choice.Identity, Platform: choice.Platform,
		PluginPath: choice.PluginPath, PluginVersion: choice.PluginVersion, PluginSHA256: choice.PluginSHA256,
		Device: device, Versions: backend.Versions(), TrainableParams: params,
	}})
}

// errCache says that the prepared corpus cannot be trained on, which the coordinator mends.
var errCache = errors.New("the cache is damaged")

func (t *training) openCorpus() error {
	if t.corpus == nil {
		c, err := corpus.Open(t.Corpus.Path)
		if errors.Is(err, trial.ErrDamaged) {
			err = fmt.Errorf("%w: %w", errCache, err)
		}
		if err != nil {
			return err
		}
		t.corpus = c
	}
	c := t.corpus
	if got := c.Info().Fingerprint; got != t.Trial.Data {
		return fmt.Errorf("corpus %s is %s, not this trial's %s: it was replaced since the sweep was registered; %s", t.Corpus.Path, got,
			t.Trial.Data, restore)
	}
	spec := t.Trial.Spec
	t.batches = corpus.Batches{
		Corpus: c, Size: spec.Train.BatchSize, Accumulation: spec.Train.GradientAccumulationSteps, Micro: t.MicroBatch,
		Sampler: corpus.NewSampler(c.Train().Len(), spec.Seed, spec.Data.Shuffle),
	}
	return nil
}

// load puts base and adapter on the device. The base stays in host memory only until it is there; where an earlier trial has put it
// there, it is read again only for a start that is made of it.
func (t *training) load(ctx context.Context) error {
	spec := t.Trial.Spec
	var base tensors
	var err error
	if t.program == nil || startsFromBase(spec.LoRA) {
		if base, err = t.readBase(ctx); err != nil {
			return err
		}
	}
	adapter, err := startingAdapter(t.config, base, t.targets, spec.LoRA, spec.Seed)
	if err != nil {
		return err
	}
	t.start = model.Start(spec.LoRA, t.targets, adapter)
	o := model.Options{
		LoRA: spec.LoRA, Train: spec.Train, Targets: t.targets, SequenceLength: spec.Data.SequenceLength, Seed: spec.Seed,
		MicroBatch: t.MicroBatch,
	}
	var program *model.Program
	if t.program == nil {
		program, err = model.New(t.backend, t.config, base, adapter, o)
	} else {
		program, err = t.program.Next(adapter, o)
	}
	if err != nil {
		return err
	}
	t.program = program
	t.program.Beat = t.beat
	clear(base)
	runtime.GC()
	debug.FreeOSMemory()
	return nil
}

// readBase reads the trial's base and its config.
func (t *training) readBase(ctx context.Context) (base tensors, err error) {
	files, err := t.files(t.Model)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", t.Model.Reference, err)
	}
	t.config, base, err = readBase(ctx, files, t.Model, t.Trial.Base, t.Trial.Spec.Train.Dtype)
	if errors.Is(err, errChanged) {
		return nil, fmt.Errorf("%w; %s", err, restore)
	}
	return base, err
}

// startsFromBase reports whether fresh trainable tensors are made of the base's.
func startsFromBase(l lora.Spec) bool {
	return l.Full || l.UseDoRA || l.Init == lora.InitPiSSA || l.Bias != "" || len(l.ModulesToSave) > 0
}

// resume continues from the newest good checkpoint there is, or starts afresh.
func (t *training) resume() error {
	t.progress = progress{ID: t.Trial.ID, Evaluated: -1}
	t.saved = time.Now()
	warn := func(err error) { fmt.Fprintln(os.Stderr, err) }
	c, err := loadCheckpoint(append([]string{t.dir}, t.Checkpoints...), t.Trial.ID, warn)
	if err != nil {
		return err
	}
	if c == nil {
		if len(t.Screen) > 0 {
			return t.recall()
		}
		return nil
	}
	if err := t.program.SetState(model.State{Adapter: c.Adapter, M: c.M, V: c.V}); err != nil {
		return fmt.Errorf("continue from step %d: %w", c.Step, err)
	}
	t.progress, t.bestAdapter = c.progress, c.BestAdapter
	if cuts, _ := t.Trial.Spec.StageAt(c.Step); cuts > 0 {
		if err := t.program.Rescale(t.Trial.Spec.LoRAAfter(cuts)); err != nil {
			return err
		}
	}
	t.earlier = time.Duration(c.TotalSeconds * float64(time.Second))
	if err := t.emit(trial.Event{Kind: trial.EventResumed, Step: t.Step}); err != nil {
		return err
	}
	return t.sayAgain()
}
