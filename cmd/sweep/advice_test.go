package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// TestAdviceIsCommands pastes every command of advice, of a report's last sentence and of messages into a shell, and what the shell makes
// of it into the program: the command is there and takes these arguments, whatever characters are in names and paths.
func TestAdviceIsCommands(t *testing.T) {
	t.Parallel()
	shell := prose.Shell{Root: "/my runs/it's $HOME", Sweep: "notes (2)", Grid: "grids & more/a b.yaml"}.Unbroken()
	for code, command := range map[plateau.Code]string{
		plateau.AdviseNewName: "extend", plateau.AdviseMoreTime: "extend", plateau.AdviseUndrawn: "extend", plateau.AdviseRace: "extend",
		plateau.AdviseRaceScouts: "extend", plateau.AdviseLogs: "logs", plateau.AdviseRerun: "retry resume",
		plateau.AdviseLessMemory: "retry extend", plateau.AdviseLessTime: "retry extend", plateau.AdviseUncertain: "extend",
	} {
		gain := &plateau.Interval{Mean: 0.1, Lo: new(0.05), Hi: new(0.15)}
		f := plateau.Finding{Code: code, Ranks: []int{4}, Over: 2, Count: 2, Of: 2, Gain: gain, Name: plateau.UseCertify}
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
