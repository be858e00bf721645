package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/track/notify"
	"github.com/ranksweep/ranksweep/sweep/track/tracktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func all(string) bool { return true }

// failed is a sweep whose trial ended without a loss.
func failed() track.Facts {
	f := tracktest.Facts(3, 0)
	f.Ladders[0].Rungs[0].Trials[0].Attempts[0].Outcome = &trial.Outcome{State: trial.OutcomeUnstable, Error: "loss is NaN", Step: 3}
	f.Done = true
	return f
}

func TestEvents(t *testing.T) {
	t.Parallel()
	id := string(tracktest.Facts(1, 0).Ladders[0].Rungs[0].Trials[0].Trial.ID)
	running := tracktest.Facts(2, 0)
	running.Verdicts[0].State = "running"
	for name, test := range map[string]struct {
		facts track.Facts
		ids   []string // as they begin
		text  string   // part of the first
	}{
		"running":  {running, nil, ""},
		"decided":  {tracktest.Facts(2, 0), []string{"verdict/1/inconclusive/2"}, "Sweep test: inconclusive, rank 2: "},
		"finished": {tracktest.Facts(4, 0), []string{"verdict/1/inconclusive/2", "finished/"}, "Sweep test: inconclusive, rank 2: "},
		"failed": {
			failed(),
			[]string{"trial_failed/" + id + "/1", "verdict/1/inconclusive/2", "finished/"},
			"Trial " + id + " of sweep test (rank 2, seed 0) ended without a loss: unstable: loss is NaN",
		},
		"no attempt": {track.Facts{Snapshot: sweep.Snapshot{}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := notify.Events(test.facts, all)
			if len(events) != len(test.ids) {
				t.Fatalf("%d events, want %d: %+v", len(events), len(test.ids), events)
			}
			for i, e := range events {
				if !strings.HasPrefix(e.ID, test.ids[i]) || e.Sweep != "test" || e.At.IsZero() || e.Text == "" {
					t.Errorf("event %d is %+v, want one with an id like %s", i, e, test.ids[i])
				}
			}
			if len(events) > 0 && !strings.HasPrefix(events[0].Text, test.text) {
				t.Errorf("text %q, want %q", events[0].Text, test.text)
			}
		})
	}
}

// kept are Notices in memory.
type kept map[string]bool

func (k kept) Told(context.Context) (map[string]bool, error) { return k, nil }

func (k kept) Tell(_ context.Context, event string, _ time.Time) error {
	k[event] = true
	return nil
}

func encode(e notify.Event) ([]byte, error) { return json.Marshal(e) }

// TestWebhook gets each event once, the failed ones again, and its address stands in no message.
func TestWebhook(t *testing.T) {
	t.Parallel()
	var got []notify.Kind
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ Event notify.Kind }
		body, err := io.ReadAll(r.Body)
		err = errors.Join(err, json.Unmarshal(body, &e))
		if kind := r.Header.Get("Content-Type"); err != nil || r.Method != http.MethodPost || kind != "application/json" {
			t.Errorf("%s %s %s: %v", r.Method, kind, body, err)
		}
		if status == http.StatusNoContent {
			got = append(got, e.Event)
		}
		w.WriteHeader(status)
	}))
	target := server.URL + "/hooks/secret"
	sink := notify.Sink{Target: target, Notices: kept{}, Encode: encode}
	if unsent, err := sink.Sync(t.Context(), failed()); unsent != 3 || err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Sync() of a busy webhook = %d, %v", unsent, err)
	}
	status = http.StatusNoContent
	for range 2 {
		if unsent, err := sink.Sync(t.Context(), failed()); unsent != 0 || err != nil {
			t.Errorf("Sync() = %d, %v", unsent, err)
		}
	}
	if diff := cmp.Diff([]notify.Kind{notify.Failure, notify.Verdict, notify.Finished}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	server.Close()
	sink.Notices = kept{}
	if _, err := sink.Sync(t.Context(), failed()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Sync() of a webhook that is away = %v", err)
	}
	if name := notify.Name(target); strings.Contains(name, "secret") || !strings.HasPrefix(name, "notify http://127.0.0.1") {
		t.Errorf("Name() = %q", name)
	}
}

// TestCommand has the event in its environment and as JSON on its standard input; one that fails says why.
func TestCommand(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "told")
	sink := notify.Sink{Target: `echo "$SWEEP_EVENT $SWEEP_EVENT_SWEEP" >> ` + out + `; cat >> ` + out, Notices: kept{}, Encode: encode}
	if unsent, err := sink.Sync(t.Context(), tracktest.Facts(4, 0)); unsent != 0 || err != nil {
		t.Fatalf("Sync() = %d, %v", unsent, err)
	}
	text, err := os.ReadFile(out)
	begins, has := "verdict test\n{\"id\":\"verdict/1/", "finished test\n"
	if err != nil || !strings.HasPrefix(string(text), begins) || !strings.Contains(string(text), has) {
		t.Errorf("the command was told %q, %v", text, err)
	}
	sink.Target, sink.Notices = "echo no such mailbox >&2; exit 3", kept{}
	unsent, err := sink.Sync(t.Context(), tracktest.Facts(4, 0))
	if unsent != 2 || err == nil || err.Error() != "exit status 3: no such mailbox" {
		t.Errorf("Sync() of a command that fails = %d, %v", unsent, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	sink.Target = "sleep 60 & sleep 60"
	if _, err := sink.Sync(ctx, tracktest.Facts(4, 0)); err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("Sync() of a command that hangs = %v after %s", err, time.Since(begun))
	}
}
