package starter

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Line is one key of the grid with what was chosen and why.
type Line struct {
	Key   string `json:"key"`   // in the file: data.sequence_length
	Value string `json:"value"` // as YAML
	Why   string `json:"why,omitempty"`
}

// Lines lists the choices in the order of the file.
func (c Choice) Lines() []Line {
	f := c.Facts
	lines := []Line{
		{"name", quoted(f.Name), ""},
		{"model", quoted(f.Model), report.Count(f.Params) + " parameters"},
		{"data.train", list(f.Data), c.aboutRows()},
	}
	if len(f.Validation) > 0 {
		lines = append(lines, Line{"data.validation", list(f.Validation), ""})
	} else {
		lines = append(lines, Line{
			"data.validation_split", number(c.Split),
			"held out by a hash of each document, so that it stays out; or validation: FILE",
		})
	}
	if len(f.Columns) > 0 {
		lines = append(lines, Line{"data.columns", columns(f.Columns), "what the files call prompt, completion, messages or text"})
	}
	if f.SkipBadRows {
		lines = append(lines, Line{"data.skip_bad_rows", "true", "rows that cannot be read are left out, and named"})
	}
	lines = append(lines,
		Line{"data.validation_sequences", strconv.Itoa(c.ValidationSequences), "at most, the same at every rank"},
		Line{"data.sequence_length", strconv.Itoa(c.SequenceLength), c.aboutLength()},
		Line{"lora.rank", "[" + joined(c.Ranks) + "]", c.aboutRanks()},
		Line{"lora.alpha", "2r", "keeps the scaling of the update at 2, so that ranks differ in rank alone"},
		Line{"lora.target_modules", "all-linear", "every linear layer but the head; sweep plan GRID --targets lists them"},
		Line{"train.steps", strconv.Itoa(c.Steps), c.aboutSteps()},
		Line{"train.batch_size", strconv.Itoa(c.BatchSize), c.aboutBatch()},
	)
	if c.Accumulation > 1 {
		lines = append(lines, Line{
			"train.gradient_accumulation_steps", strconv.Itoa(c.Accumulation),
			fmt.Sprintf("so that a step sees %d sequences", c.BatchSize*c.Accumulation),
		})
	}
	if c.GradientCheckpointing {
		lines = append(lines, Line{
			"train.gradient_checkpointing", "true",
			fmt.Sprintf("without it a trial of rank 1 would need %s, and there are %s; it computes each block once more and so takes longer",
				trial.FormatBytes(c.bytesWithout), trial.FormatBytes(f.Memory)),
		})
	}
	lines = append(lines,
		Line{"train.learning_rate", number(c.LearningRate), c.aboutLearningRate()},
		Line{"train.lr_scheduler_type", "cosine", ""},
		Line{"train.warmup_steps", strconv.Itoa(c.Steps / 20), "5 % of the steps"},
		Line{"train.eval_steps", strconv.Itoa(c.EvalSteps), "val_loss is the lowest of these evaluations"},
		Line{"seeds", "[" + joined(upTo(c.Seeds)) + "]", c.aboutSeeds()},
	)
	if c.Fits {
		lines = append(lines, Line{"limits.time", shortTime(f.Budget), "the sweep ends here, with what it has by then"})
	}
	return lines
}

// Grid writes the grid file: a comment above every choice that has a reason.
func (c Choice) Grid() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# A first grid by sweep init. %s\n", c.Cost())
	section := ""
	for _, l := range c.Lines() {
		key, indent := l.Key, ""
		if of, name, nested := strings.Cut(l.Key, "."); nested {
			if of != section {
				fmt.Fprintf(&b, "%s:\n", of)
			}
			section, key, indent = of, name, "  "
		} else {
			section = ""
		}
		if l.Why != "" {
			fmt.Fprintf(&b, "%s# %s\n", indent, l.Why)
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, l.Value)
	}
	return b.String()
}

// Cost says what the sweep takes at most.
func (c Choice) Cost() string {
	trials := len(c.Ranks) * c.Seeds
	if c.Seconds == 0 {
		return fmt.Sprintf("At most %d trials; sweep plan says what they cost.", trials)
	}
	text := fmt.Sprintf("At most %d trials in about %s, a peak of %s each.", trials, report.Seconds(c.Seconds), trial.FormatBytes(c.PeakBytes))
	if !c.Fits {
		text += fmt.Sprintf(" That is more than the %s there are: take more time, a smaller model or shorter rows.", shortTime(c.Facts.Budget))
	}
	return text
}

func (c Choice) aboutRows() string {
	r := c.Facts.Rows
	var parts []string
	if r.Count > 0 {
		parts = append(parts, report.Count(int64(r.Count))+" rows")
	}
	if r.Packed > 0 {
		parts = append(parts, report.Count(r.Packed)+" tokens of text, packed into rows")
	}
	text := strings.Join(parts, " and ")
	if !r.Complete {
		text = "the first " + text + ", were looked at; there are more"
	}
	return text
}

func (c Choice) aboutLength() string {
	lengths := c.Facts.Rows.Lengths
	if len(lengths) == 0 {
		return fmt.Sprintf("tokens a row; the model reads up to %d", c.Facts.Positions)
	}
	text := fmt.Sprintf("rows have %d tokens in the median, %d at most", lengths[(len(lengths)-1)/2], lengths[len(lengths)-1])
	if cut := c.cut(); cut > 0 {
		return fmt.Sprintf("%s; %d of %d are cut", text, cut, len(lengths))
	}
	return text + "; none is cut"
}

func (c Choice) aboutRanks() string {
	last := c.Ranks[len(c.Ranks)-1]
	switch {
	case 2*last > c.Facts.MostRank:
		return fmt.Sprintf("the narrowest layer has full rank %d", c.Facts.MostRank)
	case last == mostRank:
		return "the climb stops by itself where a larger rank no longer pays"
	case c.MemoryLimited:
		return fmt.Sprintf("rank %d would need more than the memory there is", 2*last)
	}
	return "no more fit into the time; the climb stops by itself where a larger rank no longer pays"
}

func (c Choice) aboutSteps() string {
	if c.trainRows == 0 {
		return "not fitted to the time, because nothing was measured"
	}
	return fmt.Sprintf("%.2g epochs of %s rows; the report says step_limited if the loss still falls at the end",
		float64(c.Steps*c.BatchSize*c.Accumulation)/float64(c.trainRows), report.Count(int64(c.trainRows)))
}

func (c Choice) aboutBatch() string {
	if c.PeakBytes == 0 {
		return "sequences in one forward pass"
	}
	return fmt.Sprintf("sequences in one forward pass; measured peak %s of %s",
		trial.FormatBytes(c.PeakBytes), trial.FormatBytes(c.Facts.Memory))
}

func (c Choice) aboutLearningRate() string {
	x := c.LearningRate
	return fmt.Sprintf("usual for this size. To let every rank choose: [%s, %s, %s] and tune: [learning_rate], at three times the cost",
		number(x/2), number(x), number(2*x))
}

func (c Choice) aboutSeeds() string {
	if c.Seeds < 3 {
		return "two certify little, but three do not fit into the time"
	}
	return "paired over ranks: they tell a gain from noise"
}

func list(values []string) string {
	if len(values) == 1 {
		return quoted(values[0])
	}
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = quoted(v)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// quoted writes a YAML string: plain where nothing in it could mean something else.
func quoted(s string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ./"
	plain := strings.Trim(s, letters+"0123456789_-:") == ""
	letter := strings.ContainsAny(s[:min(1, len(s))], letters)
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off":
		plain = false
	}
	if plain && letter && !strings.HasSuffix(s, ":") {
		return s
	}
	return strconv.Quote(s)
}

func number(v float64) string {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
		return mantissa + ".0e" + exponent
	}
	return text
}

func joined(values []int) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.Itoa(v)
	}
	return strings.Join(words, ", ")
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// shortTime writes a time as people do in a grid: 1h30m, not 1h30m0s.
func shortTime(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// columns writes names as a flow map.
func columns(names map[string]string) string {
	var parts []string
	for _, ours := range slices.Sorted(maps.Keys(names)) {
		parts = append(parts, ours+": "+quoted(names[ours]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
