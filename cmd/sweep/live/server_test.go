package live

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// scene is a root with one sweep and a server of it; the writer plays its coordinator.
type scene struct {
	t       testing.TB
	root    string
	writer  *store.DB
	trials  []trial.Trial
	handler http.Handler
	server  *Server
}

func newScene(t testing.TB, name string, alphas []float64, adjust func(*Config)) *scene {
	t.Helper()
	s := &scene{t: t, root: t.TempDir()}
	path := filepath.Join(s.root, "sweep.db")
	var err error
	if s.writer, err = store.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.writer.Close() })
	info := sweeptest.Info(name, 0, 1)
	info.Limits.Memory = 128 << 20
	id, err := s.writer.CreateSweep(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.Registration(alphas, []int{1, 2, 4}, []int64{0, 1})
	if err := s.writer.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Ladders {
		for _, rung := range l.Rungs {
			for _, p := range rung.Trials {
				s.trials = append(s.trials, p.Trial.Trial())
			}
		}
	}
	reader, err := store.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		DB: reader, Root: s.root, Loopback: true,
		List: func(context.Context) ([]string, []page.Listed, error) {
			return []string{"sweep", "state"}, []page.Listed{{Name: name, State: "running"}}, nil
		},
		Working: func(_ context.Context, _ sweep.Info, finished bool) (string, string, error) {
			return map[bool]string{true: "finished", false: stateRunning}[finished], "a line", nil
		},
		Abandoned: func(context.Context, *sweep.TrialFacts) (string, error) { return "left behind", nil },
	}
	if adjust != nil {
		adjust(&c)
	}
	if s.server, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.server.Close(); _ = reader.Close() })
	s.handler = s.server.Handler()
	return s
}

// get asks for a path; change may change the request.
func (s *scene) get(path string, change func(*http.Request)) (code int, body string, header http.Header) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// record stores an attempt's steps and, where loss is not 0, its end.
func (s *scene) record(t trial.Trial, steps int, loss float64) {
	s.t.Helper()
	id, at := trial.NewAttemptID(t.ID, 1), time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	if err := s.writer.BeginAttempt(s.t.Context(), t.ID, 1, trial.Assignment{Attempt: id, Trial: t}, at); err != nil {
		s.t.Fatal(err)
	}
	events := []trial.Event{
		{Kind: trial.EventStarted, Environment: &trial.Environment{PID: 7, Host: "here", Platform: "xla:cpu", TrainableParams: 512}},
		{Kind: trial.EventPredicted, Prediction: &trial.Prediction{AnalysisBytes: 1 << 20, PredictedBytes: 90 << 20, Source: "s"}},
	}
	for step := 1; step <= steps; step++ {
		events = append(events, trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
			Tokens: int64(500 * step), TrainLoss: 5 - float64(step)/8, GradNorm: 1, LearningRate: 3e-3,
		}}, trial.Event{Kind: trial.EventEval, Step: step, Evaluation: &trial.Evaluation{ValLoss: 5 - float64(step)/16, Tokens: 630}})
	}
	events = append(events, trial.Event{
		Kind: trial.EventMemory, Memory: &trial.Memory{PeakHostBytes: new(int64(120 << 20)), HostSource: "VmHWM"},
	})
	if loss != 0 {
		events = append(events, trial.Event{Kind: trial.EventEnded, Outcome: &trial.Outcome{
			State: trial.OutcomeDone, Step: steps, ValLoss: &loss, BestStep: steps, LastValLoss: &loss, TrainLoss: &loss, Tokens: 2000,
			TrainSeconds: 3,
		}})
	}
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), at.Add(time.Duration(i)*time.Second)
	}
	if err := s.writer.AppendEvents(s.t.Context(), id, events); err != nil {
		s.t.Fatal(err)
	}
}

// log writes what a trial's worker says.
func (s *scene) log(t trial.Trial, text string) {
	s.t.Helper()
	dir := trial.NewAttemptID(t.ID, 1).Dir(s.root)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, trial.StderrFile), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// TestAccess: who is not asked for, or has no token, gets nothing.
func TestAccess(t *testing.T) {
	t.Parallel()
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	bearer := func(v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Authorization", v) } }
	open := newScene(t, "s", []float64{16}, nil)
	closed := newScene(t, "s", []float64{16}, func(c *Config) { c.Loopback, c.Token = false, "se cret" })
	for name, test := range map[string]struct {
		scene  *scene
		path   string
		change func(*http.Request)
		want   int
	}{
		"localhost":           {open, "/", nil, 200},
		"loopback with port":  {open, "/", host("127.0.0.1:7800"), 200},
		"IPv6 loopback":       {open, "/", host("[::1]:7800"), 200},
		"another name":        {open, "/", host("evil.example:7800"), 421},
		"a name like it":      {open, "/", host("localhost.evil.example"), 421},
		"another address":     {open, "/sweeps/s", host("192.168.0.1"), 421},
		"no host":             {open, "/", host(""), 421},
		"POST":                {open, "/", method(http.MethodPost), 405},
		"OPTIONS":             {open, "/sweeps/s", method(http.MethodOptions), 405},
		"HEAD":                {open, "/sweeps/s", method(http.MethodHead), 200},
		"no sweep":            {open, "/sweeps/nobody", nil, 404},
		"no sweep's events":   {open, "/sweeps/nobody/events", nil, 404},
		"no part":             {open, "/sweeps/s/parts/answer", nil, 404},
		"no page":             {open, "/../../etc/passwd", nil, 307},
		"no token":            {closed, "/", nil, 401},
		"no token for events": {closed, "/sweeps/s/events", nil, 401},
		"token":               {closed, "/?token=se+cret", nil, 200},
		"wrong token":         {closed, "/?token=se+cre", nil, 401},
		"bearer":              {closed, "/sweeps/s", bearer("Bearer se cret"), 200},
		"wrong bearer":        {closed, "/sweeps/s?token=se+cret", bearer("Bearer x"), 401},
		"token, other name":   {closed, "/?token=se+cret", host("gpu-machine"), 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, body, header := test.scene.get(test.path, test.change)
			if code != test.want {
				t.Errorf("%s = %d, want %d:\n%s", test.path, code, test.want, body)
			}
			if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s has the headers %v", test.path, header)
			}
		})
	}
	open.get("/sweeps/nobody", nil)
	if n := len(open.server.views); n > 1 {
		t.Errorf("the server keeps %d views of one sweep", n)
	}
	_, body, _ := closed.get("/?token=se+cret", nil)
	if !strings.Contains(body, `href="/sweeps/s?token=se&#43;cret"`) {
		t.Errorf("the list's links lack the token:\n%s", body)
	}
}

// TestWarm: the latest sweep is read beforehand, and so is an older one that takes long to read.
func TestWarm(t *testing.T) {
	t.Parallel()
	alphas := make([]float64, 200) // of 6 trials each
	for i := range alphas {
		alphas[i] = float64(i + 1)
	}
	s := newScene(t, "large", alphas, nil)
	for _, name := range []string{"small", "latest"} {
		id, err := s.writer.CreateSweep(t.Context(), sweeptest.Info(name, 0, 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.writer.Register(t.Context(), id, sweeptest.Registration([]float64{1}, []int{1, 2}, []int64{0, 1})); err != nil {
			t.Fatal(err)
		}
	}
	s.server.Warm(t.Context())
	for name, want := range map[string]bool{"large": true, "small": false, "latest": true} {
		if read := s.server.view(name).parts != nil; read != want {
			t.Errorf("%s was read beforehand: %t, want %t", name, read, want)
		}
	}
}

// TestNow: what a page says goes on is what the facts say.
func TestNow(t *testing.T) {
	t.Parallel()
	s := newScene(t, "s", []float64{16}, nil)
	s.record(s.trials[0], 4, 4.5)
	s.record(s.trials[1], 3, 0)
	s.log(s.trials[1], strings.Repeat("a line\n", 30)+"<script>alert(1)</script>\x1b[31m\n")
	code, body, _ := s.get("/sweeps/s", nil)
	if code != http.StatusOK {
		t.Fatalf("page = %d:\n%s", code, body)
	}
	for _, want := range []string{
		"<strong>1 of at most 6 trials</strong>", "a line</p>", "rank 1, seed 1 <span class=\"chip\">running</span>", "3 of 4</dd>",
		"4.6250</dd>", "4.8125 at step 3", "250 tok/s", "peak 120 MiB, predicted 90 MiB, of 128 MiB (limits.memory)", `class="high"`,
		" left: a verdict may come before the last rank.", `<li class="running" title="1/2 done, running">`,
		`<li class="pending" title="not begun">`,
		"&lt;script&gt;alert(1)&lt;/script&gt;\u241b[31m",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(body, "a line\n"); n > shownLines {
		t.Errorf("the page has %d lines of the log, want %d at most", n, shownLines)
	}
	if strings.Contains(body, "<script>alert") {
		t.Error("a log became markup")
	}
}

// TestStream: parts come at once, and again when what they show has changed; others do not.
func TestStream(t *testing.T) {
	t.Parallel()
	s := newScene(t, "s", []float64{16}, nil)
	s.record(s.trials[0], 4, 4.5)
	events := s.listen()
	seen := map[string]string{}
	for range 6 {
		p := next(t, events)
		seen[p.ID] = string(p.HTML)
	}
	if !strings.Contains(seen[page.PartNow], "1 of at most 6 trials") || len(seen) != 6 {
		t.Fatalf("the stream begins with %d parts, what goes on is:\n%s", len(seen), seen[page.PartNow])
	}
	begun := time.Now()
	s.record(s.trials[1], 4, 4.4)
	var changed []string
	for !strings.Contains(seen[page.PartNow], "2 of at most 6 trials") || !strings.Contains(seen[page.PartTrials], `data-value="4.4"`) {
		p := next(t, events)
		if string(p.HTML) == seen[p.ID] {
			t.Errorf("part %s came again unchanged", p.ID)
		}
		seen[p.ID] = string(p.HTML)
		changed = append(changed, p.ID)
	}
	t.Logf("%v came within %s", changed, time.Since(begun))
}

// listen opens the sweep's stream on a real server, which it ends with the test.
func (s *scene) listen() <-chan page.Part {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(ctx, listener) }()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/sweeps/s/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request) //nolint:bodyclose // the cleanup closes it, once the stream has ended
	if err != nil {
		s.t.Fatal(err)
	}
	parts := make(chan page.Part)
	go func() {
		defer close(parts)
		read(answer.Body, parts)
	}()
	s.t.Cleanup(func() {
		cancel() // ends the stream, too, and at once
		begun := time.Now()
		if err := <-ended; err != nil || time.Since(begun) > 5*time.Second {
			s.t.Errorf("Serve() = %v after %s", err, time.Since(begun))
		}
		for p := range parts {
			s.t.Logf("part %s came at the end", p.ID)
		}
		_ = answer.Body.Close()
	})
	return parts
}

// read sends the parts of a stream.
func read(body io.Reader, parts chan<- page.Part) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 10<<20)
	for lines.Scan() {
		var p page.Part
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &p) == nil {
			parts <- p
		}
	}
}

func next(t *testing.T, parts <-chan page.Part) page.Part {
	t.Helper()
	select {
	case p, ok := <-parts:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return p
	case <-time.After(time.Minute):
		t.Fatal("nothing came in a minute")
	}
	return page.Part{}
}

// TestLargeSweep: the parts that take long wait until they are asked for.
func TestLargeSweep(t *testing.T) {
	t.Parallel()
	alphas := make([]float64, 200) // of 6 trials each
	for i := range alphas {
		alphas[i] = float64(i + 1)
	}
	s := newScene(t, "s", alphas, nil)
	s.record(s.trials[0], 4, 4.5)
	_, body, _ := s.get("/sweeps/s", nil)
	if !strings.Contains(body, `data-load="trials"`) || strings.Contains(body, `class="trials"`) {
		t.Error("the page of 1200 trials has their table")
	}
	if !strings.Contains(body, "1 of at most 1200 trials") || !strings.Contains(body, "176 more ladders") {
		t.Error("the page lacks how far its ladders are")
	}
	for part, want := range map[string]string{"trials": `data-value="4.5"`, "ladders": "Training loss by step", "axes": "By alpha"} {
		code, body, _ := s.get("/sweeps/s/parts/"+part, nil)
		var p page.Part
		if err := json.Unmarshal([]byte(body), &p); err != nil || code != http.StatusOK || p.ID != part {
			t.Fatalf("part %s = %d, %v, %s", part, code, err, p.ID)
		}
		if !strings.Contains(string(p.HTML), want) || !strings.Contains(string(p.HTML), "As of ") {
			t.Errorf("part %s lacks %q, or when it was made", part, want)
		}
	}
}
