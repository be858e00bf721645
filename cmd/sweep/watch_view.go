package main

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Colours of the terminal's own palette, which suit its background.
const (
	colorTrain = "4" // blue
	colorVal   = "3" // yellow
)

// lines draws the screen: never more lines than it has rows, nor longer ones than it has columns.
func (m watchModel) lines() []string {
	if m.width < 1 || m.height < 1 {
		return nil
	}
	lines := m.head()
	keys := "↑↓ trial  ←→ ladder  tab view  q quit"
	room := m.height - len(lines) - 1
	switch {
	case m.data.err != nil && len(m.data.trials) == 0:
	case !m.read1st:
		lines = append(lines, "reading the database …")
	case len(m.data.snapshot.Ladders) == 0:
		lines = append(lines, "its model and data have not been read yet")
	default:
		lines = append(lines, m.body(room)...)
	}
	lines = lines[:min(len(lines), m.height-1)]
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, lipgloss.NewStyle().Faint(true).Render(keys))
	for i, line := range lines {
		lines[i] = ansi.Truncate(strings.ReplaceAll(line, "\t", " "), m.width, ellipsis)
	}
	return lines
}

// head says how the sweep goes, and how the chosen ladder does.
func (m watchModel) head() []string {
	s := m.data.snapshot
	if !m.read1st {
		return nil
	}
	decided := 0
	for _, v := range m.data.verdicts {
		if v.State != plateau.StateRunning {
			decided++
		}
	}
	title := fmt.Sprintf("sweep %s: %s, %s of work", printable(s.Sweep.Name), m.data.state, report.Duration(s.Sweep.Elapsed))
	if len(s.Ladders) > 1 {
		title += fmt.Sprintf(", %d of %d ladders decided", decided, len(s.Ladders))
	}
	lines := []string{lipgloss.NewStyle().Bold(true).Render(ansi.Truncate(title, m.width, ellipsis))}
	if m.data.err != nil {
		lines = append(lines, "not read: "+printable(strings.Join(strings.Fields(m.data.err.Error()), " ")))
	}
	switch {
	case m.data.err != nil, m.data.state == progressFinished, m.data.state == progressRunning:
	case m.data.state == progressWaiting:
		lines = append(lines, m.wrapped(waitLine(m.data.waits))...)
	case m.data.worked:
		lines = append(lines, m.wrapped("nothing new starts until: "+m.resume)...)
	default:
		lines = append(lines, m.wrapped("no coordinator; continue with: "+m.resume)...)
	}
	if m.ladder < 0 || m.ladder >= len(s.Ladders) || m.ladder >= len(m.data.verdicts) {
		return lines
	}
	return append(lines, m.climbLines()...)
}

// climbLines are the ladder, what is left of the sweep, and the verdict.
func (m watchModel) climbLines() []string {
	s := m.data.snapshot
	l, v := s.Ladders[m.ladder], m.data.verdicts[m.ladder]
	name := ""
	if len(s.Ladders) > 1 {
		name = printable(fmt.Sprintf("ladder %d%s  ", m.ladder+1, inBrackets(report.Cell(l.Cell).Axes())))
	}
	climb := climbText(l, v, m.data.busy, max(m.width/2, m.width-ansi.StringWidth(name)))
	verdict := prose.Reason(v)
	switch {
	case v.State != plateau.StateRunning && v.RecommendedRank > 0 && v.State != plateau.StateOutraced &&
		v.Reason.Code != plateau.ReasonDiverged:
		verdict = fmt.Sprintf("%s: %srank %d; %s", v.State, report.AtLeast(v.State), v.RecommendedRank, verdict)
	case v.State != plateau.StateRunning:
		verdict = string(v.State) + ": " + verdict
	case v.RecommendedRank > 0:
		verdict = fmt.Sprintf("rank %d leads; ", v.RecommendedRank) + verdict
	}
	lines := append([]string{name + climb}, m.wrapped(outlookText(m.data.outlook))...)
	return append(lines, m.wrapped(verdict)...)
}

// wrapped breaks a sentence to the screen, in at most an eighth of its rows.
func (m watchModel) wrapped(text string) []string {
	lines := strings.Split(ansi.Wrap(printable(text), m.width, ""), "\n")
	if most := max(m.height/8, 1); len(lines) > most {
		lines[most-1] = ansi.Truncate(strings.Join(lines[most-1:], " "), m.width, ellipsis)
		lines = lines[:most]
	}
	return lines
}

// body shares the rows below the head among the trials, the curves, the memory and the log.
func (m watchModel) body(rows int) []string {
	if len(m.data.trials) == 0 {
		return []string{"no trial was begun yet"}
	}
	list := min(max(rows/3, 2), max(len(m.data.trials), 1))
	lines := append([]string{m.rule("trials")}, m.trialLines(list)...)
	rest := rows - len(lines)
	switch m.view {
	case viewCurves:
		return append(lines, m.curves(rest)...)
	case viewLog:
		return append(lines, m.log(rest)...)
	case viewAll, views:
	}
	log := min(max(rest/4, 2), 1+max(len(m.data.log), 1))
	lines = append(lines, m.curves(rest-log-1)...)
	lines = append(lines, m.memory())
	return append(lines, m.log(log)...)
}

// rule is a line with a title.
func (m watchModel) rule(title string) string {
	text := "── " + printable(title) + " "
	return text + strings.Repeat("─", max(0, m.width-ansi.StringWidth(text)))
}

// trialLines are so many of the trials, among them the chosen one.
func (m watchModel) trialLines(rows int) []string {
	at := max(m.data.index(m.chosen), 0)
	from := min(max(at-rows/2, 0), max(len(m.data.trials)-rows, 0))
	var lines []string
	for i, t := range m.data.trials[from:min(from+rows, len(m.data.trials))] {
		line := t.line(m.name(t)).render(max(m.width-2, 1))
		if from+i == at {
			lines = append(lines, lipgloss.NewStyle().Bold(true).Render("▸ "+line))
			continue
		}
		lines = append(lines, "  "+line)
	}
	return lines
}

// name is that of a trial within the chosen ladder.
func (m watchModel) name(t watchedTrial) string {
	s := sweep.Progress{Snapshot: sweep.Snapshot{Ladders: m.data.snapshot.Ladders[m.ladder : m.ladder+1]}}
	spec := t.facts.Trial.Spec()
	return trialName(s, 0, spec.LoRA.Rank, spec.Seed, t.facts.Trial.ID)
}

// line says how a trial comes along, or how it ended.
func (t watchedTrial) line(name string) trialLine {
	if t.news != nil {
		n := *t.news
		n.name = name
		return n.line()
	}
	spec := t.facts.Trial.Spec()
	l := trialLine{name: name, share: float64(t.facts.LastStep) / float64(max(spec.TotalSteps(), 1)), parts: []linePart{{text: t.state}}}
	o := t.facts.Final()
	if o != nil && o.ValLoss != nil {
		l.parts = append(l.parts, linePart{text: fmt.Sprintf("val %.4f", *o.ValLoss), drop: 1},
			linePart{text: "in " + report.Seconds(o.TrainSeconds), drop: 2})
		return l
	}
	l.parts = append(l.parts, linePart{text: fmt.Sprintf("step %d/%d", t.facts.LastStep, spec.TotalSteps()), drop: 1})
	if last := t.facts.Attempts[len(t.facts.Attempts)-1].Outcome; last != nil && last.Error != "" {
		l.parts = append(l.parts, linePart{text: printable(strings.Join(strings.Fields(last.Error), " ")), drop: 2})
	}
	return l
}

// curves draws the losses of the chosen trial in so many rows.
func (m watchModel) curves(rows int) []string {
	if rows < 1 {
		return nil
	}
	t := m.data.trials[max(m.data.index(m.chosen), 0)]
	title := ansi.Truncate(printable(m.name(t)), max(m.width-21, 1), ellipsis) + "  ⠒ train ● val"
	if m.width >= narrow {
		title += fmt.Sprintf("  trial %s", t.facts.Trial.ID)
	}
	lines := []string{m.rule(title)}
	return append(lines, lossChart(m.data.train, m.data.validation, m.width, rows-1, paint)...)
}

// paint colours what belongs to a curve.
func paint(validation bool, text string) string {
	color := lipgloss.Color(colorTrain)
	if validation {
		color = lipgloss.Color(colorVal)
	}
	return lipgloss.NewStyle().Foreground(color).Render(text)
}

// memory is the peak of the chosen trial against what was predicted and what is allowed, as far as there is room.
func (m watchModel) memory() string {
	t := m.data.trials[max(m.data.index(m.chosen), 0)].facts
	peak, limit := t.Memory.Peak(m.data.snapshot.Sweep.Platform), m.data.snapshot.Sweep.Limits.Memory
	l := trialLine{name: "memory not measured yet", share: -1, parts: []linePart{{text: "no limit", drop: 1}}}
	if peak > 0 {
		l.name = "memory " + trial.FormatBytes(peak)
	}
	if limit > 0 {
		l.share = float64(peak) / float64(limit)
		l.parts = []linePart{{text: fmt.Sprintf("%.0f %% of limit %s", 100*l.share, trial.FormatBytes(limit)), drop: 1}}
	}
	if p := t.Prediction; p != nil {
		l.parts = append(l.parts, linePart{text: "predicted " + trial.FormatBytes(p.PredictedBytes), drop: 2})
	}
	return l.render(m.width)
}

// log is the end of what the chosen trial's worker wrote, in so many rows.
func (m watchModel) log(rows int) []string {
	if rows < 1 {
		return nil
	}
	lines := []string{m.rule("log")}
	if len(m.data.log) == 0 {
		return append(lines, "nothing was written")[:min(rows, 2)]
	}
	return append(lines, m.data.log[max(0, len(m.data.log)-rows+1):]...)
}
