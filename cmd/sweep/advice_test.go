package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestAdviceIsCommands pastes every command of advice, of a report's last sentence and of messages into a shell, and what the shell makes
// of it into the program: the command is there and takes these arguments, whatever characters are in names and paths.
func TestAdviceIsCommands(t *testing.T) {
	t.Parallel()
	shell := prose.Shell{Root: "/my runs/it's $HOME", Sweep: "notes (2)", Grid: "grids & more/a b.yaml"}.Unbroken()
	for code, command := range map[plateau.Code]string{
		plateau.AdviseNewName: "extend", plateau.AdviseMoreTime: "extend", plateau.AdviseUndrawn: "extend", plateau.AdviseRace: "extend",
		plateau.AdviseRaceScouts: "extend", plateau.AdviseLogs: "logs", plateau.AdviseRerun: "retry resume",
		plateau.AdviseLessMemory: "extend retry resume", plateau.AdviseSmaller: "run", plateau.AdviseLessTime: "extend",
		plateau.AdviseCheaper: "run", plateau.AdviseUncertain: "extend",
	} {
		gain, over := &plateau.Interval{Mean: 0.1, Lo: new(0.05), Hi: new(0.15)}, 2
		if code == plateau.AdviseLessMemory {
			over = 0
		}
		f := plateau.Finding{Code: code, Ranks: []int{4}, Over: over, Count: 2, Of: 2, Gain: gain, Name: plateau.UseCertify}
		text := shell.Advice(plateau.Verdict{Advice: []plateau.Finding{f}})[0]
		mustPaste(t, string(code), text, command)
	}
	loss, rank := 4.5, 4
	for state, command := range map[plateau.State]string{
		plateau.StateStillImproving: "extend export", plateau.StateLikelyPlateau: "export confirm", plateau.StateInconclusive: "extend",
		plateau.StatePlateau: "export",
	} {
		v := report.Verdict{State: state, Next: &plateau.NextRung{Rank: 8}, AdviceCodes: []plateau.Code{plateau.AdviseSeeds}, MinGain: &loss}
		r := report.Report{
			Sweep: shell.Sweep, Shell: shell, Seeds: []int64{0, 1}, Rule: report.Rule{Stop: plateau.StopLikely},
			Ladders:        []report.Ladder{{Number: 1, Verdict: v, Rungs: []report.Rung{{Rank: rank}}}},
			Recommendation: report.Recommendation{Final: true, Ladder: 1, Rank: &rank, ValLoss: &loss, State: state, Serving: &lora.Serving{}},
		}
		mustPaste(t, string(state), r.Lead().Next, command)
	}
	for trained, commands := range map[bool]string{false: "run", true: "report run"} {
		var said strings.Builder
		if err := (scoutView{Sweep: shell.Sweep + scoutSuffix, AllTrained: trained}).table(&said, shell); err != nil {
			t.Fatal(err)
		}
		mustPaste(t, fmt.Sprintf("scout, all trained %t", trained), said.String(), commands)
	}
	a := &app{root: shell.Root}
	for command, object := range map[string]string{
		"resume": shell.Sweep, "status": shell.Sweep, "cancel": shell.Sweep, "run": shell.Grid, "extend": shell.Grid,
	} {
		said := a.shell().Unbroken().Command(command, object)
		if plain := strings.ReplaceAll(said, prose.NoBreak, " "); plain != a.commandOn(command, object) {
			t.Errorf("commandOn(%s) = %s, want %s", command, a.commandOn(command, object), plain)
		}
		mustPaste(t, command, said, command)
	}
}

// mustPaste fails unless a text has these commands, in this order, and the program takes each as a shell reads it.
func mustPaste(t *testing.T, what, text, commands string) {
	t.Helper()
	var found []string
	text = strings.ReplaceAll(text, prose.NoBreak+"&&"+prose.NoBreak, " && ")
	for _, said := range regexp.MustCompile("sweep"+prose.NoBreak+`[^\n ]*`).FindAllString(text, -1) {
		line := strings.TrimRight(strings.ReplaceAll(said, prose.NoBreak, " "), ".;,")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\0' `+line).Output()
		if err != nil {
			t.Fatalf("%s: %s: %v", what, line, err)
		}
		words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		cmd, args, err := newRootCommand(&app{}).Find(words[1:])
		if err == nil {
			err = cmd.ParseFlags(args)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if root := fmt.Sprint(cmd.Flag("root").Value); err != nil || !cmd.HasParent() || root != "/my runs/it's $HOME" {
			t.Errorf("%s: %q does not parse: %v, with the root %q", what, line, err, root)
		}
		found = append(found, cmd.Name())
	}
	if got := strings.Join(found, " "); got != commands {
		t.Errorf("%s: %q has the commands %q, want %q", what, text, got, commands)
	}
}

// TestAdviceOnTrialTimeWorks: who does to the letter what a report says of trials that limits.trial_time ended has them trained, with the
// limit raised or with fewer steps under another name. To retry them alone would end them again, and says so.
func TestAdviceOnTrialTimeWorks(t *testing.T) {
	t.Parallel()
	for advice, edits := range map[string][][2]string{
		"raise limits.trial_time": {{"trial_time: 0.001s", "trial_time: 1h"}},
		"fewer steps":             {{"steps: 4", "steps: 2"}, {"name: test", "name: other"}, {"trial_time: 0.001s", "trial_time: 1h"}},
	} {
		s := newTestSweep(t, backend.PlatformGo, 4)
		s.env = []string{"SWEEP_BACKEND=go", "SWEEP_JOBS=1", "PATH=" + filepath.Dir(sweepBinary(t)) + ":" + os.Getenv("PATH")}
		s.edit("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {trial_time: 0.001s}")
		s.ends(exitOK, "", "run", s.path("grid.yaml"))
		stands := "1 trial met a limit, which stands until the grid raises it: sweep extend " + s.path("grid.yaml")
		s.ends(exitOK, stands, "retry", "--failed", "test")
		s.ends(exitOK, "", "resume", "test")
		for _, e := range edits {
			s.edit(e[0], e[1])
		}
		if out, err := s.paste(advice); err != nil || !strings.Contains(out, "lowest mean at rank") || strings.Contains(out, "time_limited") {
			t.Errorf("%s: %v\n%s", advice, err, out)
		}
	}
}

// paste does what the report says to do then, as it stands there, and returns what that printed.
func (s *testSweep) paste(advice string) (string, error) {
	s.t.Helper()
	said, err := s.sweep("report", "test").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	words := strings.ReplaceAll(regexp.QuoteMeta(advice), " ", `\s+`)
	command := regexp.MustCompile(`(?s)` + words + `.*?then:\s+(sweep [^\n(]+)`).FindSubmatch(said)
	if command == nil {
		s.t.Fatalf("no command after %q in\n%s", advice, said)
	}
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", string(command[1]))
	cmd.Env = append(append(os.Environ(), "GOMLX_NO_AUTO_INSTALL=1"), s.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
