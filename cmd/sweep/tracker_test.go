package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

func TestParseTrackers(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("tb")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		texts []string
		want  []string // names, or part of the error
		code  int
	}{
		"none":       {nil, nil, exitOK},
		"standard":   {[]string{"tensorboard"}, []string{"tensorboard:/sweeps/tensorboard"}, exitOK},
		"two":        {[]string{"tensorboard:/a,tensorboard:/b", "tensorboard:/a"}, []string{"tensorboard:/a", "tensorboard:/b"}, exitOK},
		"unknown":    {[]string{"comet:/a"}, []string{"--track comet: want tensorboard:DIR, mlflow:URL, wandb:DIR"}, exitUsage},
		"an address": {[]string{"mlflow:https://a:secret@host:80/x/"}, []string{"mlflow:https://a:xxxxx@host:80/x"}, exitOK},
		"one folder": {[]string{"tensorboard:tb", "tensorboard:./tb/", "tensorboard:" + here}, []string{"tensorboard:" + here}, exitOK},
		"one server": {[]string{"mlflow:http://h", "mlflow:http://h/"}, []string{"mlflow:http://h"}, exitOK},
		"a file":     {[]string{"mlflow:file:///tmp"}, []string{"--track mlflow:file:///tmp: want the address of a tracking server"}, exitUsage},
		"no kind":    {[]string{"/a/b"}, []string{"--track /a/b: want tensorboard:DIR, mlflow:URL, wandb:DIR"}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trackers, err := parseTrackers(test.texts, "/sweeps")
			if err != nil {
				if exitCode(err) != test.code || !strings.Contains(err.Error(), test.want[0]) {
					t.Errorf("parseTrackers(%q) = %v, want %q", test.texts, err, test.want)
				}
				return
			}
			var names []string
			for _, tr := range trackers {
				names = append(names, tr.name())
			}
			if diff := cmp.Diff(test.want, names); diff != "" || test.code != exitOK {
				t.Errorf("parseTrackers(%q) (-want +got):\n%s", test.texts, diff)
			}
		})
	}
}

// TestSettingTexts: a text of the environment, of the settings file or of a flag is one, whatever it begins with.
func TestSettingTexts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  func(v *viper.Viper, flags *pflag.FlagSet) error
		want []string
	}{
		"nothing": {func(*viper.Viper, *pflag.FlagSet) error { return nil }, []string{}},
		"text": {func(v *viper.Viper, _ *pflag.FlagSet) error {
			return v.MergeConfigMap(map[string]any{"notify": `[ "$SWEEP_EVENT" = finished ] && mail, me`})
		}, []string{`[ "$SWEEP_EVENT" = finished ] && mail, me`}},
		"list": {func(v *viper.Viper, _ *pflag.FlagSet) error {
			return v.MergeConfigMap(map[string]any{"notify": []any{"[ -f a ] && b", "c"}})
		}, []string{"[ -f a ] && b", "c"}},
		"flags": {func(_ *viper.Viper, flags *pflag.FlagSet) error {
			return flags.Parse([]string{"--notify", "[ -f a ]", "--notify", `c, "d"`})
		}, []string{"[ -f a ]", `c, "d"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, flags := viper.New(), pflag.NewFlagSet("", pflag.ContinueOnError)
			flags.StringArray("notify", nil, "")
			if err := errors.Join(v.BindPFlags(flags), test.set(v, flags)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, settingTexts(v, "notify")); diff != "" {
				t.Errorf("settingTexts() (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTrackersOfTheEnvironment are of no concern to what does not track, and an error before anything is trained where it does.
func TestTrackersOfTheEnvironment(t *testing.T) {
	t.Setenv("MLFLOW_TRACKING_URI", "")
	t.Setenv("SWEEP_TRACK", "mlflow")
	root := t.TempDir()
	elsewhere := "tensorboard:" + t.TempDir()
	for args, want := range map[string]int{
		"list": exitNotFound, "track none --to " + elsewhere: exitNotFound,
		"run grid.yaml": exitUsage, "resume": exitUsage, "confirm test": exitUsage, "scout grid.yaml": exitUsage, "track": exitUsage,
	} {
		code, _, stderr := sweepCommand(t, append(strings.Fields(args), "--root", root)...)
		if code != want || want == exitUsage && !strings.Contains(stderr, "--track mlflow: say where: mlflow:URL") {
			t.Errorf("%s = %d, %q, want %d", args, code, stderr, want)
		}
	}
}

// TestRunTracks: the settings name a tool, a run keeps it up to date, and sending again changes no byte.
func TestRunTracks(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	settings := s.path("settings.yaml")
	if err := os.WriteFile(settings, []byte("track: [tensorboard]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.sweep("run", s.path("grid.yaml"), "--backend", s.platform, "--config", settings)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	before := s.eventFiles()
	if len(before) != 7 { // of six trials and of the sweep
		t.Errorf("%d event files, want 7", len(before))
	}
	out, err := s.sweep("track", "--to", "tensorboard:"+s.path("runs", "tensorboard")).Output()
	if err != nil || !strings.Contains(string(out), "up to date") {
		t.Errorf("track = %v:\n%s", err, out)
	}
	if diff := cmp.Diff(before, s.eventFiles()); diff != "" {
		t.Errorf("sent again (-first +then):\n%s", diff)
	}
	blocked := s.path("blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failing := s.sweep("track", "test", "--to", "tensorboard:"+blocked, "-o", "json")
	if out, err := failing.Output(); failing.ProcessState.ExitCode() != exitError || !strings.Contains(string(out), `"unsent": 7`) {
		t.Errorf("track to a place that cannot be written = %v:\n%s", err, out)
	}
}

// TestRunWithoutItsTracker: a server that refuses, or never answers, is a warning and a line about what is unsent; the sweep is what it
// would be.
func TestRunWithoutItsTracker(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, address := range map[string]string{
		"refuses": "http://me:pa55word@127.0.0.1:1", "never answers": "http://" + silent.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 20)
			s.env = []string{"MLFLOW_TRACKING_TOKEN=pa55word"}
			cmd := s.sweep("run", s.path("grid.yaml"), "--backend", s.platform, "--track", "mlflow:"+address)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
			}
			target := "mlflow:" + redactedURL(address)
			later := "send with: sweep track test --to " + target + " --root "
			if !strings.Contains(string(out), "7 runs not sent: ") || !strings.Contains(string(out), later) {
				t.Errorf("the run does not say what is unsent:\n%s", out)
			}
			if n := strings.Count(string(out), "warning: mlflow:"); name == "refuses" && n != 1 || n > 1 {
				t.Errorf("%d warnings:\n%s", n, out)
			}
			if name == "refuses" != strings.Contains(string(out), "(with the password in place of xxxxx)") {
				t.Errorf("the run does not say when the command lacks a password:\n%s", out)
			}
			if strings.Contains(string(out), "pa55word") {
				t.Errorf("a password is in what was said:\n%s", out)
			}
			if s.report() == "" {
				t.Error("no report")
			}
			text, err := os.ReadFile(s.path("runs", "sweep.db"))
			if err != nil || strings.Contains(string(text), "pa55word") {
				t.Errorf("a password is in the database, %v", err)
			}
		})
	}
}

// eventFiles returns TensorBoard's files by their paths.
func (s *testSweep) eventFiles() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	for _, depth := range []string{"*", filepath.Join("*", "*")} {
		paths, err := filepath.Glob(s.path("runs", "tensorboard", depth, "events.out.tfevents.*"))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				s.t.Fatal(err)
			}
			files[path] = string(text)
		}
	}
	return files
}
