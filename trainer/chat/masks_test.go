package chat

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

// goldenMasks is what testdata/masks.py writes.
type goldenMasks struct {
	Tokens    map[string]string `json:"tokens"`
	Templates []goldenTemplate  `json:"templates"`
}

type goldenTemplate struct {
	Name     string       `json:"name"`
	Own      string       `json:"own"`
	Training string       `json:"training"`
	Cases    []goldenCase `json:"cases"`
}

type goldenCase struct {
	Name string `json:"name"`
	Row  struct {
		Messages []Message `json:"messages"`
		Tools    Tools     `json:"tools"`
	} `json:"row"`
	Own      goldenRow `json:"own"`
	Training goldenRow `json:"training"`
}

type goldenRow struct {
	IDs   []int32 `json:"ids"`
	Mask  []int   `json:"mask"`
	Error string  `json:"error"`
}

func (c goldenCase) conversation() Conversation {
	return Conversation{Messages: c.Row.Messages, Tools: c.Row.Tools}
}

func (r goldenRow) encoded() Encoded {
	e := Encoded{IDs: r.IDs, Labels: slices.Clone(r.IDs)}
	for i, scored := range r.Mask {
		if scored == 0 {
			e.Labels[i] = trial.IgnoredLabel
		}
	}
	return e
}

// run is a stretch of a row that is scored without a gap, and all the text before it.
type run struct{ before, scored string }

func runsOf(tok *tokenizer.Tokenizer, rows ...Encoded) (list []run) {
	for _, row := range rows {
		for from := 0; from < len(row.IDs); {
			to := from
			for to < len(row.IDs) && row.Labels[to] != trial.IgnoredLabel {
				to++
			}
			if to > from {
				list = append(list, run{tok.Decode(row.IDs[:from]), tok.Decode(row.IDs[from:to])})
			}
			from = to + 1
		}
	}
	return list
}

// likeness compares what is scored: same; later where each stretch only begins later, behind what the template prompts with; else other.
func likeness(got, want []run) string {
	if len(got) != len(want) {
		return "other"
	}
	kind := "same"
	for i := range got {
		more, ok := strings.CutSuffix(want[i].scored, got[i].scored)
		switch {
		case !ok || !strings.HasSuffix(got[i].before, more):
			return "other"
		case more != "":
			kind = "later"
		}
	}
	return kind
}

func goldenTok(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(os.DirFS("../tokenizer/testdata/qwen2"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// checkMasks encodes every case as TRL does with the training template, which must agree in every token, and with the model's own, which
// must render alike. It returns by the kind of likeness how the own template scores.
func checkMasks(t *testing.T, golden goldenMasks) map[string][]string {
	t.Helper()
	tok := goldenTok(t)
	kinds := map[string][]string{}
	for _, g := range golden.Templates {
		for _, c := range g.Cases {
			name := g.Name + ", " + c.Name
			own, err := Parse(g.Own, golden.Tokens)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text, err := own.render(c.conversation(), false)
			if (err != nil) != (c.Own.Error != "") || err == nil && !slices.Equal(tok.Encode(text), c.Own.IDs) {
				t.Errorf("%s: render = %q, %v, want %q (%s)", name, text, err, tok.Decode(c.Own.IDs), c.Own.Error)
				continue
			}
			if c.Training.Error != "" || c.Own.Error != "" || g.Training == "" && !own.Marked() {
				continue
			}
			want := c.Training.encoded()
			for _, source := range []string{g.Training, g.Own} {
				template, err := Parse(source, golden.Tokens)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				rows, err := (&Encoder{Tokenizer: tok, Template: template}).Conversation(c.conversation(), name)
				switch {
				case err != nil:
					t.Errorf("%s: %v", name, err)
				case template.Marked() && (len(rows) != 1 || !slices.Equal(rows[0].IDs, want.IDs) || !slices.Equal(rows[0].Labels, want.Labels)):
					t.Errorf("%s, marked: scored %q, want %q", name, runsOf(tok, rows...), runsOf(tok, want))
				case !template.Marked() && source != "":
					kind := likeness(runsOf(tok, rows...), runsOf(tok, want))
					kinds[kind] = append(kinds[kind], fmt.Sprintf("%s in %d rows", name, len(rows)))
				}
			}
		}
	}
	return kinds
}

// TestMasks compares what is scored under templates of every kind with what a training template of the kind that TRL has marks.
func TestMasks(t *testing.T) {
	t.Parallel()
	var golden goldenMasks
	readGolden(t, "testdata/masks.json", &golden)
	kinds := checkMasks(t, golden)
	want := map[string][]string{
		"later": {"thoughts in no turn, thoughts in content in 2 rows"}, // <think> is prompted for
		"other": { // a training template would lose these thoughts
			"thoughts in no turn, reasoning_content in 2 rows", "thoughts in no turn, thinking in 1 rows",
			"thoughts in no turn, all names in 2 rows",
		},
		"same": {
			"thoughts in the last turn only, two turns in 2 rows", "thoughts in the last turn only, system in 2 rows",
			"thoughts in the last turn only, thoughts in content in 2 rows", "thoughts in the last turn only, reasoning_content in 2 rows",
			"thoughts in the last turn only, all names in 2 rows", "thoughts in the last turn only, tools in 2 rows",
			"thoughts in the last turn only, null content in 2 rows", "system before the last user, system in 2 rows",
		},
	}
	single := func(s string) bool { return strings.HasSuffix(s, "in 1 rows") }
	if n := len(kinds["same"]); n != 36 {
		t.Errorf("%d cases are scored alike, want 36", n)
	}
	kinds["same"] = slices.DeleteFunc(kinds["same"], single)
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("what is scored, by its likeness: -want +got\n%s", diff)
	}
}

// TestMasksAgreeWithTRL does so with TRL's own templates. SWEEP_PYTHON names a Python that has trl and transformers.
func TestMasksAgreeWithTRL(t *testing.T) {
	t.Parallel()
	python := os.Getenv("SWEEP_PYTHON")
	if err := exec.CommandContext(t.Context(), python, "-c", "import trl, transformers").Run(); err != nil {
		t.Skipf("SKIPPED: SWEEP_PYTHON=%q has no trl and transformers: %v", python, err)
	}
	body, err := exec.CommandContext(t.Context(), python, "testdata/masks.py", "trl").Output()
	if err != nil {
		t.Fatal(err)
	}
	var golden goldenMasks
	if err := json.Unmarshal(body, &golden); err != nil {
		t.Fatal(err)
	}
	kinds := checkMasks(t, golden)
	for kind, list := range kinds {
		t.Logf("%d %s: %s", len(list), kind, strings.Join(list, "; "))
	}
	// gptoss ends other turns than the last otherwise; glm4moe scores the next turn's header; diffusion_gemma prompts for nothing after
	// tools; the others lose thoughts that are in the data.
	known := regexp.MustCompile("^(gptoss|glm4moe|diffusion_gemma|deepseek|nemotron)")
	for _, other := range kinds["other"] {
		if !known.MatchString(other) {
			t.Errorf("%s: scored otherwise than by TRL", other)
		}
	}
	if same, later, other := len(kinds["same"]), len(kinds["later"]), len(kinds["other"]); same != 140 || later != 102 || other != 39 {
		t.Errorf("%d cases are scored as by TRL 1.16.0, %d begin later, %d are scored otherwise; want 140, 102 and 39", same, later, other)
	}
}
