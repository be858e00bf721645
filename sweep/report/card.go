package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

//go:embed card.md.tmpl
var cardTemplate string

// Card is what the model card of an exported trial says beside the report.
type Card struct {
	Base     string // hub id or path of the base model
	Merged   bool   // the folder holds a whole model, not an adapter
	Last     bool   // the adapter of the last step, not of the best
	Dtype    string // of merged weights
	Snippet  string // Python that loads the folder
	Note     string // what the snippet needs; may be empty
	Grid     string // text of the grid file
	Versions map[string]string
	// Data are the corpora as the grid names them.
	Train, Validation string
}

// Card writes the model card of one finished trial of a ladder, in Hugging Face's format: YAML front matter, then Markdown.
func (r Report) Card(w io.Writer, l Ladder, trial trial.ID, c Card) error {
	rung, t, ok := l.trial(trial)
	if !ok || t.ValLoss == nil {
		return fmt.Errorf("model card: trial %s has no loss in ladder %d", trial, l.Number)
	}
	tmpl, err := template.New("card").Funcs(template.FuncMap{"yaml": yamlScalar}).Parse(cardTemplate)
	if err != nil {
		return err
	}
	decimals := digits(l.Verdict.minGain())
	var b strings.Builder
	err = tmpl.Execute(&b, map[string]any{
		"Base": c.Base, "Merged": c.Merged, "Dtype": c.Dtype, "Sweep": r.Sweep, "Rank": rung.Rank, "Snippet": c.Snippet, "Note": c.Note,
		"ValLoss": fixed(*t.ValLoss, decimals), "Perplexity": number(roundTo(math.Exp(*t.ValLoss), 4)), "Which": which(t, c.Last),
		"Standing": r.standing(l, rung, decimals), "Verdict": l.Verdict, "Probability": probability(l.Verdict), "Conditions": l.Conditions,
		"Table": r.markdownTable(l), "Legend": r.Rule.legend(), "Settings": settings(l, rung, t, c), "Cost": r.cost(t),
		"Why": r.why(l), "Serving": served(l, rung, c), "Reference": l.Reference.line(l), "Versions": versions(c.Versions),
		"Grid": strings.TrimRight(c.Grid, "\n"),
	})
	if err != nil {
		return fmt.Errorf("model card: %w", err)
	}
	_, err = io.WriteString(w, strings.ReplaceAll(b.String(), noBreak, " "))
	return err
}

// trial finds a trial among those that stand for its rung, and among the other candidates' where axes are tuned.
func (l Ladder) trial(id trial.ID) (Rung, Trial, bool) {
	for _, r := range l.Rungs {
		for _, c := range append([]Candidate{{Tuned: r.Tuned, Trials: r.Trials}}, r.Candidates...) {
			for _, t := range c.Trials {
				if t.ID == id {
					r.Tuned = c.Tuned
					return r, t, true
				}
			}
		}
	}
	return Rung{}, Trial{}, false
}

func which(t Trial, last bool) string {
	if last {
		return " at its best step; these are the weights of the last step"
	}
	return fmt.Sprintf(", at step %d", *t.BestStep)
}

// standing says how the trial's rank relates to what the sweep recommends.
func (r Report) standing(l Ladder, rung Rung, decimals int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", r.Recommendation.Summary)
	if v := l.Verdict.RecommendedRank; v == nil || *v != rung.Rank || l.Number != r.Recommendation.Ladder {
		fmt.Fprintf(&b, " This folder holds rank %d of ladder %d", rung.Rank, l.Number)
		if axes := l.Cell.Axes(); axes != "" {
			fmt.Fprintf(&b, " (%s)", axes)
		}
		b.WriteString(" instead.")
	}
	if rung.ValLoss != nil && len(rung.Trials) > 1 {
		over := "its seeds"
		if rung.partial {
			over = fmt.Sprintf("%d of its %d seeds", rung.Seeds, r.Rule.seeds)
		}
		fmt.Fprintf(&b, " Over %s, rank %d has a mean loss of %s.", over, rung.Rank, plusMinus(*rung.ValLoss, decimals))
	}
	return b.String()
}

// why is the ladder's reason where the recommendation does not give it.
func (r Report) why(l Ladder) string {
	if l.Number == r.Recommendation.Ladder {
		return ""
	}
	return ": " + l.Verdict.Reason
}

// served says what serves the adapter; empty of a whole model.
func served(l Ladder, rung Rung, c Card) string {
	if c.Merged {
		return ""
	}
	return Served(*serving(l, rung), "sweep export --merged")
}

func probability(v Verdict) string {
	if v.Probability == nil {
		return ""
	}
	return fmt.Sprintf(" (probability %s)", chance(*v.Probability))
}

// markdownTable is the ladder's table with every column.
func (r Report) markdownTable(l Ladder) string {
	return r.Table(l).Markdown()
}

func settings(l Ladder, rung Rung, t Trial, c Card) string {
	rows := [][]string{
		{"training data", c.Train}, {"validation data", c.Validation}, {"rank", strconv.Itoa(rung.Rank)}, {"seed", strconv.FormatInt(t.Seed, 10)},
	}
	for _, s := range slices.Concat(rung.Tuned, l.Cell) {
		value := s.Value
		if s.Name == "model" {
			value = c.Base
		}
		rows = append(rows, []string{s.Name, value})
	}
	rows = append(rows, []string{"scaling", number(rung.Scaling)})
	return Table{[]string{"setting", "value"}, rows}.Markdown()
}

// cost says what this trial took, and the whole sweep.
func (r Report) cost(t Trial) string {
	parts := []string{}
	if t.TrainableParams != nil {
		parts = append(parts, count(*t.TrainableParams)+" trainable parameters")
	}
	if t.Tokens != nil {
		parts = append(parts, count(*t.Tokens)+" supervised tokens")
	}
	if t.TrainSeconds != nil {
		parts = append(parts, Seconds(*t.TrainSeconds)+" of training")
	}
	if t.PeakHostBytes != nil {
		parts = append(parts, "a peak of "+size(*t.PeakHostBytes)+" of host memory")
	}
	if t.PeakDeviceBytes != nil {
		parts = append(parts, "a peak of "+size(*t.PeakDeviceBytes)+" of device memory")
	}
	var trials int
	var seconds float64
	for _, l := range r.Ladders {
		for _, rung := range slices.Concat(l.rows(), []Rung{{Trials: l.scouts}}) {
			for _, other := range rung.all() {
				if other.TrainSeconds != nil {
					trials++
					seconds += *other.TrainSeconds
				}
			}
		}
	}
	return fmt.Sprintf("This trial: %s. All %d %s of the sweep together trained for %s. Backend: %s.", prose.List(parts), trials,
		plural("trial", trials), Seconds(seconds), orNone(r.Backend))
}

func versions(v map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if v[name] != "" {
			lines = append(lines, fmt.Sprintf("- %s %s", name, v[name]))
		}
	}
	return strings.Join(lines, "\n")
}

var plainScalar = regexp.MustCompile(`^[A-Za-z0-9./~][A-Za-z0-9._/~-]*$`)

// yamlScalar writes a text for YAML's front matter; JSON's quotes are YAML's.
func yamlScalar(s string) (string, error) {
	if plainScalar.MatchString(s) {
		return s, nil
	}
	quoted, err := json.Marshal(s)
	return string(quoted), err
}
