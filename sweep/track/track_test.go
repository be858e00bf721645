package track_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestRuns: a trial becomes a run whose settings, numbers and end are its own, and only what changed is given again.
func TestRuns(t *testing.T) {
	t.Parallel()
	var got []track.Run
	sink := track.Runs(func(_ context.Context, r track.Run) error { got = append(got, r); return nil })
	sync := func(f track.Facts) (names []string) {
		t.Helper()
		got = nil
		if unsent, err := sink.Sync(t.Context(), f); err != nil || unsent != 0 {
			t.Fatalf("Sync() = %d, %v", unsent, err)
		}
		for _, r := range got {
			names = append(names, r.Name+": "+string(r.Status))
		}
		return names
	}
	const name = "rank=2 seed=0 dropout=0.1 "
	for _, step := range []struct {
		facts track.Facts
		want  []string
	}{
		{tracktest.Facts(2, 0), []string{"test: running", name + "ID: running"}},
		{tracktest.Facts(2, 0), nil},
		{tracktest.Facts(3, 0), []string{name + "ID: running"}},
		{tracktest.Facts(4, 2), []string{"test: finished", name + "ID: finished"}},
	} {
		id := string(step.facts.Ladders[0].Rungs[0].Trials[0].Trial.ID)[:8]
		var want []string
		for _, w := range step.want {
			want = append(want, strings.Replace(w, "ID", id, 1))
		}
		if diff := cmp.Diff(want, sync(step.facts)); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	}
	r := got[1]
	for _, want := range []track.Field{
		{Name: "rank", Value: "2", Axis: true},
		{Name: "dropout", Value: "0.1", Axis: true},
		{Name: "lora.lora_alpha", Value: "16"},
		{Name: "lora.target_modules", Value: `["c_attn"]`},
		{Name: "train.learning_rate", Value: "0.003"},
	} {
		if !slices.Contains(r.Params, want) {
			t.Errorf("settings lack %v: %v", want, r.Params)
		}
	}
	losses := map[int]float64{}
	for _, p := range r.Points {
		for _, v := range p.Values {
			if v.Name == "train_loss" {
				losses[p.Step] += v.Value
			}
		}
	}
	if diff := cmp.Diff(map[int]float64{1: 4.875, 2: 4.75, 3: 4.625, 4: 4.5}, losses); diff != "" {
		t.Errorf("training losses, where steps were taken again (-want +got):\n%s", diff)
	}
	speed := track.Value{Name: "tokens_per_second", Value: 504}
	if last := r.Points[len(r.Points)-3]; last.Step != 4 || !slices.Contains(last.Values, speed) {
		t.Errorf("the last step has %v, want %v", last, speed)
	}
	if diff := cmp.Diff(track.Value{Name: "best_val_loss", Value: 4}, r.Summary[0]); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// TestRunsGoOnWhereOneIsRefused, but not where the tool is away.
func TestRunsGoOnWhereOneIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err          error
		asked, still int
	}{
		"refused": {fmt.Errorf("%w: too long", track.ErrRefused), 2, 2},
		"away":    {errors.New("connection refused"), 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			sink := track.Runs(func(context.Context, track.Run) error { asked++; return test.err })
			unsent, err := sink.Sync(t.Context(), tracktest.Facts(4, 0))
			if !errors.Is(err, test.err) || unsent != test.still || asked != test.asked {
				t.Errorf("Sync() = %d, %v after %d runs, want %d unsent after %d", unsent, err, asked, test.still, test.asked)
			}
		})
	}
}

// still is a store of facts that do not change.
type still struct{ facts track.Facts }

func (s still) Refresh(context.Context, sweep.Snapshot, ...int) (sweep.Snapshot, error) {
	return s.facts.Snapshot, nil
}

func (s still) CurveEvents(ctx context.Context, id trial.ID) ([]sweep.CurveEvent, error) {
	return s.facts.Curve(ctx, id)
}

// sinkFunc is a Sink.
type sinkFunc func(ctx context.Context) (int, error)

func (f sinkFunc) Sync(ctx context.Context, _ track.Facts) (int, error) { return f(ctx) }

// TestFollowerOfAToolThatIsAway warns once, asks ever more rarely, says when it is back, and never holds up the end.
func TestFollowerOfAToolThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said []string
		var asked []time.Duration
		begun, back := time.Now(), 40*time.Minute
		ctx, end := context.WithCancel(t.Context())
		hung := false
		f := track.Follower{
			Store: still{tracktest.Facts(2, 0)}, Sweep: 1, Name: "tool",
			Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			Sink: sinkFunc(func(ctx context.Context) (int, error) {
				asked = append(asked, time.Since(begun))
				switch {
				case hung:
					<-ctx.Done()
					return 3, ctx.Err()
				case time.Since(begun) < back:
					return 3, errors.New("connection refused")
				}
				return 0, nil
			}),
		}
		ended := make(chan struct{})
		var unsent int
		var err error
		go func() {
			defer close(ended)
			unsent, err = f.Follow(ctx, nil)
		}()
		time.Sleep(back + 10*time.Minute)
		want := []string{
			"warning: tool: connection refused; the sweep goes on, and what is unsent is tried again", "tool: up to date again",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		first := []time.Duration{0, 2 * time.Second, 6 * time.Second, 14 * time.Second, 30 * time.Second, 62 * time.Second}
		if diff := cmp.Diff(first, asked[:6]); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
		hung = true
		time.Sleep(time.Minute)
		ending := time.Now()
		end()
		<-ended
		if took := time.Since(ending); took != 2*time.Second || unsent != 3 || err == nil {
			t.Errorf("the end took %s and left %d unsent, %v", took, unsent, err)
		}
	})
}
