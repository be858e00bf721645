package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// SamplesSchema names the JSON of Samples.
const SamplesSchema = "sweep.samples/v1"

// Samples are what a ladder's base model and adapters answer to prompts. Its JSON is the body of `sweep samples -o json`.
type Samples struct {
	Sweep        string         `json:"sweep"`
	Ladder       int            `json:"ladder"`
	Cell         Cell           `json:"cell"`
	Model        string         `json:"model"`
	MaxNewTokens int            `json:"max_new_tokens"`
	Writers      []SampleWriter `json:"writers"` // the base model first, then ascending ranks
	Samples      []Sample       `json:"samples"`
	Warnings     []string       `json:"warnings"`
}

// SampleWriter is a model that answers. All but its name is empty of the base model.
type SampleWriter struct {
	Name        string   `json:"name"` // base, rank 8, full fine-tuning
	Rank        *int     `json:"rank"` // 0 of full fine-tuning
	Seed        *int64   `json:"seed"`
	Trial       trial.ID `json:"trial,omitempty"`
	ValLoss     *float64 `json:"val_loss"` // of the trial
	Recommended bool     `json:"recommended"`
}

// Title is the name, and whether it is the one to use.
func (w SampleWriter) Title() string {
	if w.Recommended {
		return w.Name + " (recommended)"
	}
	return w.Name
}

// Sample is a prompt with its answers.
type Sample struct {
	Row          *int           `json:"row"` // of the validation rows, from 1; null of a prompt of one's own
	Prompt       string         `json:"prompt"`
	PromptTokens int            `json:"prompt_tokens"`
	Expected     *string        `json:"expected"` // what the row has after the prompt; null of a prompt of one's own
	Answers      []SampleAnswer `json:"answers"`  // of the writers, in their order
}

// Title says where the prompt is from; number counts the samples from 1.
func (s Sample) Title(number int) string {
	if s.Row == nil {
		return fmt.Sprintf("Prompt %d", number)
	}
	return fmt.Sprintf("Validation row %d", *s.Row)
}

// SampleAnswer is what one model wrote.
type SampleAnswer struct {
	Text   string `json:"text"`
	Tokens int    `json:"tokens"`
	Ended  bool   `json:"ended"` // by the model itself; else it was cut
	Exact  bool   `json:"exact"` // it is what was expected, but for space around it
}

// Note says what the text does not show.
func (a SampleAnswer) Note() string {
	switch {
	case a.Exact:
		return "as expected"
	case !a.Ended:
		return fmt.Sprintf("cut after %d %s", a.Tokens, plural("token", a.Tokens))
	}
	return ""
}

// ReadSamples reads what `sweep samples -o json` printed of the report's sweep.
func (r Report) ReadSamples(from io.Reader) (Samples, error) {
	var file struct {
		Schema string          `json:"schema"`
		Cell   json.RawMessage `json:"cell"` // its ladder has it
		Samples
	}
	if err := json.NewDecoder(from).Decode(&file); err != nil {
		return Samples{}, fmt.Errorf("it is no JSON of sweep samples -o json: %w", err)
	}
	s := file.Samples
	switch {
	case file.Schema != SamplesSchema:
		return s, fmt.Errorf("its schema is %q, want %q: write it with sweep samples -o json", file.Schema, SamplesSchema)
	case s.Sweep != r.Sweep:
		return s, fmt.Errorf("it is of sweep %s, and this is the report of %s", s.Sweep, r.Sweep)
	case s.Ladder < 1 || s.Ladder > len(r.Ladders):
		return s, fmt.Errorf("it is of ladder %d, and the sweep has %d", s.Ladder, len(r.Ladders))
	}
	l := r.Ladders[s.Ladder-1]
	s.Cell = l.Cell
	for _, w := range s.Writers {
		if w.Rank == nil || *w.Rank == 0 { // the base model, full fine-tuning
			continue
		}
		if _, _, ok := l.trial(w.Trial); !ok || w.Seed == nil || w.ValLoss == nil {
			return s, fmt.Errorf("%s is of trial %q, which is not the sweep's: write it again with sweep samples -o json", w.Name, w.Trial)
		}
	}
	for i, sample := range s.Samples {
		if len(sample.Answers) != len(s.Writers) {
			return s, fmt.Errorf("its sample %d has %d answers, and there are %d models", i+1, len(sample.Answers), len(s.Writers))
		}
	}
	return s, nil
}

// Sources says who answered, in a sentence each.
func (s Samples) Sources() []string {
	all := []string{fmt.Sprintf("Sweep %s, %s, base model %s. Greedy decoding, at most %d new %s.", s.Sweep, s.ladder(), s.Model,
		s.MaxNewTokens, plural("token", s.MaxNewTokens))}
	for _, w := range s.Writers {
		if w.ValLoss != nil && w.Seed != nil {
			all = append(all, fmt.Sprintf("%s: seed %d, val_loss %s, trial %s.", upperFirst(w.Title()), *w.Seed, fixed(*w.ValLoss, 4), w.Trial))
		}
	}
	return all
}

func (s Samples) ladder() string {
	text := fmt.Sprintf("ladder %d", s.Ladder)
	if axes := s.Cell.Axes(); axes != "" {
		text += " (" + axes + ")"
	}
	return text
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// sampleLines is how many lines of a prompt or an answer the terminal shows.
const sampleLines = 12

// Text prints a block for each prompt: what was expected, and what each model answered.
func (s Samples) Text(w io.Writer, o Options) error {
	buffered := bufio.NewWriter(w)
	t := newText(buffered, o, Rule{})
	for _, line := range s.Sources() {
		t.para("", "%s", line)
	}
	labels := []string{"prompt", "expected"}
	for _, writer := range s.Writers {
		labels = append(labels, writer.Name)
	}
	label := 0
	for _, l := range labels {
		label = max(label, width(l))
	}
	for i, sample := range s.Samples {
		t.print("")
		t.heading(sample.Title(i + 1))
		t.quote("prompt", label, tail(sample.Prompt, o.columns()-label-4))
		if sample.Expected != nil {
			t.quote("expected", label, head(*sample.Expected, o.columns()-label-4))
		}
		for j, a := range sample.Answers {
			text := head(a.Text, o.columns()-label-4)
			if note := a.Note(); note != "" {
				text = append(text, "("+note+")")
			}
			t.quote(s.Writers[j].Name, label, text)
		}
	}
	return cmp.Or(t.err, buffered.Flush())
}

func (o Options) columns() int { return cmp.Or(o.Width, 100) }

// quote prints lines beside a bar, behind a label.
func (t *text) quote(label string, columns int, lines []string) {
	for i, line := range lines {
		if i > 0 {
			label = ""
		}
		t.print(strings.TrimRight(fmt.Sprintf("%-*s │ %s", columns+1, label, line), " "))
	}
}

// laid breaks text into lines of at most so many columns.
func laid(written string, columns int) []string {
	text := strings.TrimRight(strings.Trim(strings.ReplaceAll(written, "\t", "    "), "\n"), " \n")
	switch {
	case written == "":
		return []string{"(nothing)"}
	case strings.TrimSpace(text) == "":
		return []string{"(white space)"}
	}
	return strings.Split(ansi.Wrap(text, max(columns, 8), ""), "\n")
}

// head is the beginning of a text, in lines.
func head(text string, columns int) []string {
	lines := laid(text, columns)
	if left := len(lines) - sampleLines; left > 0 {
		return append(lines[:sampleLines:sampleLines], fmt.Sprintf("(%d more %s)", left, plural("line", left)))
	}
	return lines
}

// tail is the end of a text, in lines.
func tail(text string, columns int) []string {
	lines := laid(text, columns)
	if left := len(lines) - sampleLines; left > 0 {
		return append([]string{fmt.Sprintf("(%d %s before)", left, plural("line", left))}, lines[left:]...)
	}
	return lines
}

// Markdown writes a section for each prompt, texts as code blocks.
func (s Samples) Markdown(w io.Writer) error {
	m := &markdown{w: bufio.NewWriter(w)}
	m.list(s.Sources()...)
	for i, sample := range s.Samples {
		m.para("### %s", sample.Title(i+1))
		m.quoted("Prompt", sample.Prompt)
		if sample.Expected != nil {
			m.quoted("Expected", *sample.Expected)
		}
		for j, a := range sample.Answers {
			title := upperFirst(s.Writers[j].Title())
			if note := a.Note(); note != "" {
				title += ", " + note
			}
			m.quoted(title, a.Text)
		}
	}
	return cmp.Or(m.err, m.w.Flush())
}

// quoted writes a text in a fence that is longer than any in the text.
func (m *markdown) quoted(title, text string) {
	if strings.TrimSpace(text) == "" {
		m.para("%s: nothing.", escaped(title))
		return
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	m.para("%s:", escaped(title))
	m.para("%s\n%s\n%s", fence, strings.Trim(text, "\n"), fence)
}
