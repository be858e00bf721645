package trainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/compute"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// Worker trains one assignment after another, all of one kind (trial.Assignment.Kind). Backend, corpus, base and compiled programs stay
// from one to the next; a trial has the same bits as alone. The zero value is ready. It is not safe for concurrent use.
type Worker struct {
	kind    string // "" before the first
	backend compute.Backend
	config  model.Config
	program *model.Program
	corpus  *corpus.Corpus

	prepared int64 // the peak of memory until base and programs were ready
}

// Run is the function Run. again reports whether the Worker can take another assignment: only after one that is done, for what else may
// have happened leaves things behind, and only where the kernel's peak of memory can begin anew for the next.
func (w *Worker) Run(ctx context.Context, a trial.Assignment, dir string, emit func(trial.Event) error) (again bool, err error) {
	if w.kind == "" {
		w.kind = a.Kind()
	}
	if w.kind != a.Kind() {
		return false, fmt.Errorf("attempt %s is of kind %s, and this process trains %s", a.Attempt, a.Kind(), w.kind)
	}
	state, err := run(ctx, w, a, dir, emit)
	if err != nil || state != trial.OutcomeDone || trial.OnDevice(a.Platform) {
		return false, err
	}
	backend.ReleaseMemory()
	return backend.ResetPeakHostBytes() == nil, nil
}

// Close frees all that is kept.
func (w *Worker) Close() {
	if w.program != nil {
		w.program.Close()
	}
	if w.backend != nil {
		w.backend.Finalize()
	}
	if w.corpus != nil {
		if err := w.corpus.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	*w = Worker{}
}

// peakHostBytes is the peak of what a trial alone would have needed: of the process since the trial began, or of starting and compiling,
// which an earlier trial may have done for it.
func (w *Worker) peakHostBytes() (int64, error) {
	peak, err := backend.PeakHostBytes()
	return max(peak, w.prepared), err
}
