package main

import (
	"os"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestRunNotifies: a run tells each event once, in JSON of its schema, with what the settings name; resumed it tells only what is new.
func TestRunNotifies(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	settings := s.path("settings.yaml")
	command := `notify: ["cat > \"` + s.path("$$") + `.told\"; echo \"$SWEEP_EVENT, $SWEEP_EVENT_SWEEP\" >> '` + s.path("order") + `'"]`
	if err := os.WriteFile(settings, []byte(command+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cmd := s.sweep("run", s.path("grid.yaml"), "--backend", s.platform, "--config", settings)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	order, err := os.ReadFile(s.path("order"))
	if err != nil || string(order) != "verdict, test\nfinished, test\n" {
		t.Errorf("told %q, %v", order, err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".told") {
			told++
			body, err := os.ReadFile(s.path(e.Name()))
			if err != nil || !strings.HasPrefix(string(body), "{\n  \"schema\": \"sweep.notify/v1\"") {
				t.Errorf("told %s, %v", body, err)
			}
			checkSchema(t, body)
		}
	}
	if told != 2 {
		t.Errorf("%d events as JSON, want 2", told)
	}
}

// TestRunNotifiesPastARefusal: one event that a command fails on keeps no other, is what is unsent at the end, and is told later.
func TestRunNotifiesPastARefusal(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	command := `TOKEN=s3cret test "$SWEEP_EVENT" != verdict -o -e '` + s.path("accept") + `' &&
		echo "$SWEEP_EVENT" >> '` + s.path("told") + `'`
	const unsent = "notify test …: 1 event not sent: exit status 1; tried again when the sweep is resumed"
	for _, test := range []struct {
		args []string
		told string
		says string // how often, of the line on what is unsent
		n    int
	}{
		{[]string{"run", s.path("grid.yaml")}, "finished\n", unsent, 1},
		{[]string{"resume"}, "finished\nverdict\n", "not sent", 0},
	} {
		cmd := s.sweep(append(test.args, "--backend", s.platform, "--notify", command)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
		if strings.Count(string(out), test.says) != test.n || strings.Contains(string(out), "s3cret") {
			t.Errorf("%v says, want %d of %q:\n%s", test.args, test.n, test.says, out)
		}
		if told, err := os.ReadFile(s.path("told")); err != nil || string(told) != test.told {
			t.Errorf("%v told %q, %v, want %q", test.args, told, err, test.told)
		}
		if err := os.WriteFile(s.path("accept"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNotifyRefuses what it could never tell, before anything is trained.
func TestNotifyRefuses(t *testing.T) {
	t.Parallel()
	for _, target := range []string{" ", "https://"} {
		code, _, stderr := sweepCommand(t, "run", "grid.yaml", "--notify", target)
		if code != exitUsage || !strings.Contains(stderr, "--notify: ") {
			t.Errorf("--notify %q = %d, %q", target, code, stderr)
		}
	}
}
