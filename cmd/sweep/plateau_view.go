package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// judgedLadder is a ladder of a table and what the rule says of it.
type judgedLadder struct {
	lossLadder
	verdict plateau.Verdict
	noise   *report.Noise
}

// plateauResult is the verdict with its rungs beside it.
type plateauResult struct {
	Verdict verdictJSON           `json:"verdict"`
	Rungs   []plateau.RungVerdict `json:"rungs"`
	Noise   *report.Noise         `json:"noise"` // null where fewer than two ranks share two seeds
}

// verdictJSON is a verdict in sentences, without its rungs.
type verdictJSON struct {
	plateau.Verdict
	Code        plateau.Code   `json:"code"` // of the reason
	Reason      string         `json:"reason"`
	Advice      []string       `json:"advice"`
	AdviceCodes []plateau.Code `json:"advice_codes"` // one for each of Advice
	Choice      string         `json:"choice,omitempty"`
	ChoiceCode  plateau.Code   `json:"choice_code,omitempty"`
	Rungs       *struct{}      `json:"rungs,omitempty"` // hides Verdict.Rungs
}

// plateauLadders are the verdicts of a table with several ladders.
type plateauLadders struct {
	Ladders []ladderResult `json:"ladders"`
}

type ladderResult struct {
	Settings map[string]string `json:"settings"`
	plateauResult
}

func newPlateauLadders(judged []judgedLadder) plateauLadders {
	var all plateauLadders
	for _, j := range judged {
		settings := map[string]string{}
		for _, s := range j.settings {
			settings[s.column] = s.value
		}
		all.Ladders = append(all.Ladders, ladderResult{settings, j.result()})
	}
	return all
}

func (j judgedLadder) result() plateauResult {
	v := j.verdict
	out := verdictJSON{
		Verdict: v, Code: v.Reason.Code, Reason: prose.Reason(v), Advice: prose.Advice(v), AdviceCodes: report.AdviceCodes(v),
		Choice: prose.Choice(v),
	}
	if v.Choice != nil {
		out.ChoiceCode = v.Choice.Code
	}
	return plateauResult{Verdict: out, Rungs: v.Rungs, Noise: j.noise}
}

// writeLadders prints one ladder after another.
func writeLadders(w io.Writer, judged []judgedLadder) error {
	for i, j := range judged {
		if _, err := fmt.Fprintf(w, "%s%s\n", map[bool]string{true: "\n"}[i > 0], j.label()); err != nil {
			return err
		}
		if err := j.write(w); err != nil {
			return err
		}
	}
	return nil
}

// ladderRows is one row per ladder and rank, after the ladder's settings.
func ladderRows(judged []judgedLadder) (header []string, rows [][]string) {
	var names []string
	for _, s := range judged[0].settings {
		names = append(names, s.column)
	}
	for _, j := range judged {
		var values []string
		for _, s := range j.settings {
			values = append(values, s.value)
		}
		columns, ranks := plateauRows(j.verdict)
		header = append(slices.Clone(names), columns...)
		for _, row := range ranks {
			rows = append(rows, append(slices.Clone(values), row...))
		}
	}
	return header, rows
}

// write prints the rungs and what they come to.
func (j judgedLadder) write(w io.Writer) error {
	v := j.verdict
	header := []string{"rank", "seeds", "value", "gain [lo, hi]", "over", "P(gain)", "decision", "strikes"}
	decimals := max(0, 2-int(math.Floor(math.Log10(v.MinGain)))) // three digits of min_gain
	fixed := func(x float64) string { return strconv.FormatFloat(x, 'f', decimals, 64) }
	var rows [][]string
	for _, r := range v.Rungs {
		row := []string{
			strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)), fixed(r.ValLoss.Mean), "", "", "", string(r.Decision),
			strconv.Itoa(r.Count),
		}
		if r.Gain != nil {
			row[3] = fmt.Sprintf("%s [%s, %s]", fixed(r.Gain.Mean), fixed(*r.Gain.Lo), fixed(*r.Gain.Hi))
			row[4], row[5] = strconv.Itoa(r.Incumbent), report.Chance(*r.Probability)
		}
		rows = append(rows, row)
	}
	if err := writeTable(w, header, rows, "seeds", "P(gain)", "over", "strikes", "gain [lo, hi]"); err != nil {
		return err
	}
	var text strings.Builder
	over := ""
	if v.State.Claims() && v.IncumbentRank > 0 {
		over = fmt.Sprintf(" over rank %d", v.IncumbentRank)
	}
	fmt.Fprintf(&text, "%srank %d: %s%s\n", report.AtLeast(v.State), v.RecommendedRank, v.State, over)
	for _, why := range []string{prose.Choice(v), prose.Reason(v)} {
		if why != "" {
			text.WriteString(why + "\n")
		}
	}
	if j.noise != nil {
		fmt.Fprintf(&text, "noise: %s\n", j.noise)
	}
	for _, advice := range prose.Advice(v) {
		text.WriteString("- " + advice + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// plateauRows is one row per rank, every number in full.
func plateauRows(v plateau.Verdict) (header []string, rows [][]string) {
	header = []string{
		"rank", "seeds", "mean", "lo", "hi", "incumbent", "gain", "gain_lo", "gain_hi", "sd", "df", "probability", "decision",
		"count",
	}
	for _, r := range v.Rungs {
		row := []string{
			strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)), fullNumber(&r.ValLoss.Mean), fullNumber(r.ValLoss.Lo),
			fullNumber(r.ValLoss.Hi),
		}
		if r.Gain == nil {
			row = append(row, "", "", "", "", "", "", "")
		} else {
			row = append(row, strconv.Itoa(r.Incumbent), fullNumber(&r.Gain.Mean), fullNumber(r.Gain.Lo), fullNumber(r.Gain.Hi), fullNumber(&r.SD),
				fullNumber(r.DF), fullNumber(r.Probability))
		}
		rows = append(rows, append(row, string(r.Decision), strconv.Itoa(r.Count)))
	}
	return header, rows
}
