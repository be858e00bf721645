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

// newSink adds the event's id to refused each time that one is refused; ending says whether the sweep ends.
func newSink(target string, refused *[]string, ending *bool) *notify.Sink {
	return &notify.Sink{
		Target: target, Notices: kept{}, Encode: encode, Ending: func() bool { return *ending },
		Refused: func(e notify.Event, _ error) { *refused = append(*refused, string(e.Event)) },
	}
}

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
	sink := newSink(target, nil, nil)
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
	var refused []string
	ending := true
	sink := newSink(`echo "$SWEEP_EVENT $SWEEP_EVENT_SWEEP" >> `+out+`; cat >> `+out, &refused, &ending)
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
	if why := sink.Refusal(); unsent != 2 || err != nil || why == nil || why.Error() != "exit status 3: no such mailbox" {
		t.Errorf("Sync() of a command that fails = %d, %v; refused for %v", unsent, err, why)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	sink.Notices = kept{}
	sink.Target = "sleep 60 & sleep 60"
	if _, err := sink.Sync(ctx, tracktest.Facts(4, 0)); err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("Sync() of a command that hangs = %v after %s", err, time.Since(begun))
	}
}

// TestRefusedEventKeepsNoOther: the others are told at once, it is tried again later, and at the end without waiting.
func TestRefusedEventKeepsNoOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"event":"trial_failed"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	for name, target := range map[string]string{
		"command": `echo "$SWEEP_EVENT" >> ` + dir + `/tried; test "$SWEEP_EVENT" != trial_failed`, "webhook": server.URL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var refused []string
			ending := false
			sink := newSink(target, &refused, &ending)
			look := func() {
				t.Helper()
				if unsent, err := sink.Sync(t.Context(), failed()); unsent != 1 || err != nil || sink.Refusal() == nil {
					t.Fatalf("Sync() = %d, %v; refused for %v", unsent, err, sink.Refusal())
				}
			}
			for range 4 { // the second tries it again, the others wait
				look()
			}
			ending = true
			look()
			told, err := sink.Notices.Told(t.Context())
			if err != nil || len(told) != 2 {
				t.Errorf("told %v, %v, want the verdict and the end", told, err)
			}
			if diff := cmp.Diff([]string{"trial_failed"}, refused); diff != "" {
				t.Errorf("refusals that were heard of (-want +got):\n%s", diff)
			}
			if name == "command" {
				tried, err := os.ReadFile(filepath.Join(dir, "tried"))
				begins := "trial_failed\nverdict\nfinished\ntrial_failed\n"
				if n := strings.Count(string(tried), "trial_failed"); err != nil || !strings.HasPrefix(string(tried), begins) || n < 3 || n > 4 {
					t.Errorf("tried %q, %v, want %q, waiting, and once more at the end", tried, err, begins)
				}
			}
		})
	}
}

// TestWebhookThatRedirects is told nothing: what follows a redirection has no body.
func TestWebhookThatRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/old" {
				http.Redirect(w, r, "/secret", status)
			}
		}))
		t.Cleanup(server.Close)
		sink := newSink(server.URL+"/old", nil, nil)
		unsent, err := sink.Sync(t.Context(), tracktest.Facts(4, 0))
		if unsent != 2 || err == nil || !strings.Contains(err.Error(), "redirects") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Sync() of a webhook that answers %d = %d, %v", status, unsent, err)
		}
	}
}

// TestCommandThatLeavesAnother running has told: its exit status counts.
func TestCommandThatLeavesAnother(t *testing.T) {
	t.Parallel()
	sink := newSink("sleep 5 &", nil, nil)
	if unsent, err := sink.Sync(t.Context(), tracktest.Facts(2, 0)); unsent != 0 || err != nil {
		t.Errorf("Sync() = %d, %v", unsent, err)
	}
}

// TestSharedTrial: one that failed on two ladders is told once.
func TestSharedTrial(t *testing.T) {
	t.Parallel()
	f := failed()
	second := f.Ladders[0]
	second.Index, second.ID = 1, 2
	f.Ladders, f.Verdicts = append(f.Ladders, second), append(f.Verdicts, f.Verdicts[0])
	var ids []string
	for _, e := range notify.Events(f, all) {
		ids = append(ids, string(e.Event))
	}
	if diff := cmp.Diff([]string{"trial_failed", "verdict", "verdict", "finished"}, ids); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestName shows no value of a variable, and no argument.
func TestName(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"./tell.sh": "./tell.sh", "mail -s s3cret me": "mail …", "TOKEN=s3cret false": "false", "A=1 TOKEN=s3cret ./tell.sh x": "./tell.sh …",
		"TOKEN='s3 cret' false": "a command", "TOKEN=s3cret": "a command", "(TOKEN=s3cret; x)": "a command", "\tTOKEN=s3cret\nx": "x",
		"TOKEN=$(s3cret false) x": "a command", "[ s3cret ]": "a command",
	} {
		if got := notify.Name(target); got != "notify "+want {
			t.Errorf("Name(%q) = %q, want %q", target, got, "notify "+want)
		}
	}
}
