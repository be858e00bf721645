package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestServeRefuses: a page that others could read needs a token, and is refused before anything is trained.
func TestServeRefuses(t *testing.T) {
	root, _, _ := midwayRoot(t)
	t.Setenv(tokenVariable, "")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"all interfaces":  {[]string{"serve", "--addr", ":0"}, exitUsage, "--addr :0 can be reached from other machines"},
		"any address":     {[]string{"serve", "--addr", "0.0.0.0:0"}, exitUsage, "give --token or " + tokenVariable},
		"IPv6":            {[]string{"serve", "--addr", "[::]:0"}, exitUsage, "can be reached from other machines"},
		"run":             {[]string{"run", "grid.yaml", "--serve", "--addr", "0.0.0.0:0"}, exitUsage, "can be reached from other machines"},
		"resume":          {[]string{"resume", "--serve", "--addr", "0.0.0.0:0"}, exitUsage, "can be reached from other machines"},
		"not served":      {[]string{"run", "grid.yaml", "--addr", "127.0.0.1:0"}, exitUsage, "--addr is of --serve"},
		"short token":     {[]string{"serve", "--token", "abc"}, exitUsage, "--token has 3 characters and may be guessed"},
		"run, short":      {[]string{"run", "grid.yaml", "--serve", "--token", "abcdefghijklmno"}, exitUsage, "openssl rand -hex 16"},
		"no port":         {[]string{"serve", "--addr", "127.0.0.1"}, exitUsage, "want HOST:PORT"},
		"nothing to show": {[]string{"serve", "--addr", "127.0.0.1:0", "--root", t.TempDir()}, exitNotFound, "no sweep was run in this root yet"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := sweepCommand(t, append([]string{"--root", root}, test.args...)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%v = %d, %q\nstderr %q lacks %q", test.args, code, stdout, stderr, test.want)
			}
		})
	}
}

// serve starts sweep serve on the sweep's root and returns where it serves.
func (s *testSweep) serve(args ...string) (*running, string) {
	s.t.Helper()
	cmd := s.sweep(append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.start(cmd)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.t.Fatalf("sweep serve says no address: %v\n%s", err, r.said.String())
	}
	return r, strings.TrimSpace(line)
}

// get returns the status and the body of a page.
func (s *testSweep) get(url string) (code int, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestServeAndRun: a run serves its sweep while it lasts; serve shows it afterwards too, changes nothing and ends when asked.
func TestServeAndRun(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	cmd := s.sweep("run", s.path("grid.yaml"), "--backend", s.platform, "--serve", "--addr", "127.0.0.1:0")
	var report syncBuffer
	cmd.Stdout = io.Discard
	cmd.Stderr = &report
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	url := ""
	for deadline := time.Now().Add(2 * time.Minute); url == "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, rest, found := strings.Cut(report.String(), "live page: "); found {
			url, _, _ = strings.Cut(rest, "\n")
		}
	}
	var last string // of the stream, which ends with the run
	streamed := make(chan struct{})
	go func() {
		defer close(streamed)
		_, last = s.get(url + "/events")
	}()
	if code, body := s.get(url); code != http.StatusOK || !strings.Contains(body, `<span class="chip running">running</span>`) {
		t.Errorf("%s while it runs = %d:\n%s", url, code, body)
	}
	if err := <-ended; err != nil || !strings.Contains(report.String(), "sweep serve shows it again") {
		t.Fatalf("run --serve ended with %v:\n%s", err, report.String())
	}
	<-streamed
	if i := strings.LastIndex(last, `data: {"id":"now"`); i < 0 || !strings.Contains(last[i:], "6 of at most 6 trials") ||
		!strings.Contains(last[i:], "Nothing is left to train.") {
		t.Errorf("the stream of a run ends with:\n%s", last[max(0, i):])
	}

	before, err := os.ReadFile(s.path("runs", "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	server, address := s.serve()
	code, body := s.get(address)
	if code != http.StatusOK || !strings.Contains(body, `<a href="/sweeps/test">test</a></td><td><span class="chip finished">`) {
		t.Errorf("the list of sweeps = %d:\n%s", code, body)
	}
	code, body = s.get(address + "sweeps/test")
	if code != http.StatusOK || !strings.Contains(body, "Nothing is left to train.") || !strings.Contains(body, `class="trials"`) {
		t.Errorf("the page of a finished sweep = %d:\n%s", code, body)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := server.wait(); code != exitOK {
		t.Errorf("sweep serve ends with %d:\n%s", code, server.said.String())
	}
	if after, err := os.ReadFile(s.path("runs", "sweep.db")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("serving changed the database (%v)", err)
	}
}

// TestServeSurvivesTheCoordinator: what is left of a sweep whose coordinator was killed is shown, and how to go on.
func TestServeSurvivesTheCoordinator(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	s := newTestSweep(t, backend.PlatformGo, 2000)
	run := s.start(s.command())
	for deadline := time.Now().Add(2 * time.Minute); !s.trains() && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	_, address := s.serve("--token", token)
	page := address + "sweeps/test"
	if code, _ := s.get(page); code != http.StatusUnauthorized {
		t.Errorf("without its token the page is %d", code)
	}
	page += "?token=" + token
	if code, body := s.get(page); code != http.StatusOK || !strings.Contains(body, `<span class="chip running">running</span></h2>`) {
		t.Errorf("the page of a running sweep = %d", code)
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.wait()
	s.killWorkers()
	for _, want := range []string{
		`<span class="chip interrupted">interrupted</span></h2>`, "continue with: sweep resume test",
		`<span class="chip">interrupted</span></h3>`,
		`<span class="chip paused">paused</span></h2>`,
	} {
		if strings.Contains(want, "paused") {
			s.ends(exitOK, "nothing new starts", "pause", "test")
		}
		body := ""
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(body, want) && time.Now().Before(deadline); {
			time.Sleep(100 * time.Millisecond)
			_, body = s.get(page)
		}
		if !strings.Contains(body, want) {
			t.Errorf("after the coordinator was killed the page lacks %q", want)
		}
	}
}
