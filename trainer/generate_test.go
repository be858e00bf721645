package trainer_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestGenerateGolden writes what transformers and PEFT write (testdata/peft_generate.py). The least margin of a chosen logit there is
// 0.045, a hundred times what float32 programs differ by.
func TestGenerateGolden(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Base, Adapter    string
		Stops            []int32
		Prompts, Answers [][]int32
		Margin           float64
	}
	readJSON(t, "testdata/generate.json", &cases)
	if len(cases) != 5 {
		t.Fatalf("%d cases, want 5", len(cases))
	}
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		for _, want := range cases {
			info, err := trainer.Inspect(t.Context(), filepath.Join("model/testdata", want.Base), trainer.InspectOptions{})
			must(t, err)
			o := trainer.GenerateOptions{
				EvaluateOptions: trainer.EvaluateOptions{Model: info, Backend: c}, Prompts: want.Prompts, Stops: want.Stops, MaxNewTokens: 12,
			}
			if want.Adapter != "" {
				o.Adapter = filepath.Join("model/testdata", want.Adapter)
			}
			got, _, err := trainer.Generate(t.Context(), o)
			must(t, err)
			var answers [][]int32
			for _, a := range got {
				ids := a.IDs
				if a.Ended {
					ids = append(ids, want.Stops[0])
				}
				answers = append(answers, ids)
			}
			if diff := cmp.Diff(want.Answers, answers); diff != "" {
				t.Errorf("%s %s (-transformers +ours):\n%s", want.Base, want.Adapter, diff)
			}
		}
	})
}

// TestGenerateDoesNotDependOnItsCompany: more prompts than share a forward pass get the answers that they get alone, and a row that reaches
// the model's last position is cut there.
func TestGenerateDoesNotDependOnItsCompany(t *testing.T) {
	t.Parallel()
	o := trainer.GenerateOptions{
		EvaluateOptions: trainer.EvaluateOptions{Model: tinyInfo(t), Backend: resolve(t, backend.PlatformGo)}, MaxNewTokens: 5,
	}
	for i := range int32(9) {
		o.Prompts = append(o.Prompts, []int32{i, 2 * i, 3 * i})
	}
	o.Prompts[3] = slices.Repeat([]int32{7, 8, 9, 10}, 32)[:126] // of 128 positions
	steps := 0
	o.Written = func(int) { steps++ }
	together, _, err := trainer.Generate(t.Context(), o)
	must(t, err)
	if steps != 10 || len(together[3].IDs) != 2 || together[3].Ended || len(together[8].IDs) != 5 {
		t.Errorf("%d steps, %+v; want 10 steps, 2 tokens at the end of the positions and 5 elsewhere", steps, together)
	}
	for _, i := range []int{0, 8} {
		alone := o
		alone.Prompts = o.Prompts[i : i+1]
		got, _, err := trainer.Generate(t.Context(), alone)
		must(t, err)
		if diff := cmp.Diff(together[i], got[0]); diff != "" {
			t.Errorf("prompt %d (-together +alone):\n%s", i, diff)
		}
	}
}

func TestGenerateRefusesPrompts(t *testing.T) {
	t.Parallel()
	o := trainer.GenerateOptions{
		EvaluateOptions: trainer.EvaluateOptions{Model: tinyInfo(t), Backend: resolve(t, backend.PlatformGo)}, MaxNewTokens: 1,
	}
	for want, prompt := range map[string][]int32{
		"prompt 2 has no token": {},
		"prompt 2 has id 512, which is not in the model's vocabulary":    {1, 512},
		"prompt 2 has 128 tokens, and the model reads up to 128, answer": make([]int32, 128),
	} {
		o.Prompts = [][]int32{{1}, prompt}
		if _, _, err := trainer.Generate(t.Context(), o); !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("Generate(%d ids) = %v, want %q", len(prompt), err, want)
		}
	}
}
