package grid_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// gridText is a grid as data: values by section and key, as YAML text. The section "" is the top.
type gridText map[string]map[string]string

// drawGrid draws a valid grid with several values on some axes, and the number of its ladders.
func drawGrid(t *rapid.T) (gridText, int) {
	g := gridText{
		"":     {"name": "p", "model": "builtin:a", "seeds": rapid.SampledFrom([]string{"[0]", "[0, 1, 2]", "[5, 3]"}).Draw(t, "seeds")},
		"data": {"train": "builtin:go-doc", "validation_split": "0.25", "sequence_length": "64"},
		"lora": {
			"rank":  rapid.SampledFrom([]string{"4", "[1, 2, 8]", "{from: 1}", "{from: 2, to: 5}"}).Draw(t, "rank"),
			"alpha": "16", "target_modules": "[c_attn]",
		},
		"train": {"steps": "10"},
	}
	ladders := 1
	for _, axis := range [][]string{
		{"lora.alpha", "16", "3r", "0.5"},
		{"lora.dropout", "0.1", "0.25"},
		{"lora.use_rslora", "true", "false"},
		{"lora.target_modules", "[c_attn]", "[c_fc, c_proj]", "all-linear"},
		{"train.learning_rate", "2e-4", "1.0e-3", "3e-3"},
		{"train.batch_size", "4", "16"},
		{"train.lr_scheduler_type", "cosine", "constant"},
	} {
		values := axis[1 : 1+rapid.IntRange(0, len(axis)-1).Draw(t, axis[0])]
		if len(values) == 0 {
			continue
		}
		section, key, _ := strings.Cut(axis[0], ".")
		g[section][key] = values[0]
		if len(values) > 1 {
			g[section][key] = "[" + strings.Join(values, ", ") + "]"
		}
		ladders *= len(values)
	}
	return g, ladders
}

// write writes the grid with keys in some order, each section in block or flow style, with comments.
func (g gridText) write(order *rand.Rand) string {
	shuffled := func(keys []string) []string {
		slices.Sort(keys)
		order.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		return keys
	}
	var b strings.Builder
	for _, section := range shuffled(slices.Collect(maps.Keys(g))) {
		keys := shuffled(slices.Collect(maps.Keys(g[section])))
		flow := section != "" && order.IntN(2) == 0
		if flow {
			pairs := make([]string, len(keys))
			for i, key := range keys {
				pairs[i] = key + ": " + g[section][key]
			}
			fmt.Fprintf(&b, "%s: {%s}\n", section, strings.Join(pairs, ", "))
			continue
		}
		indent := ""
		if section != "" {
			fmt.Fprintf(&b, "%s:   # a section\n", section)
			indent = "    "
		}
		for _, key := range keys {
			fmt.Fprintf(&b, "%s%s:  %s # a comment\n\n", indent, key, g[section][key])
		}
	}
	return b.String()
}

func mustParse(t *rapid.T, text string) grid.Grid {
	g, err := grid.Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return g
}

func expandAll(t *rapid.T, g grid.Grid) []sweep.LadderPlan {
	ladders, _, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{"builtin:a": {Modules: sweeptest.GPT2Modules(2, 8)}})
	if err != nil {
		t.Fatalf("Expand: %v", err)
	}
	return ladders
}

// How a grid is written changes neither its hash nor its ladders, and there are as many trials as the axes multiply to,
// all different.
func TestGridProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, wantLadders := drawGrid(t)
		seed := rapid.Uint64().Draw(t, "order")
		one, two := mustParse(t, text.write(rand.New(rand.NewPCG(seed, 1)))), mustParse(t, text.write(rand.New(rand.NewPCG(seed, 2))))
		if one.Hash() != two.Hash() || len(one.Diff(two)) > 0 {
			t.Fatalf("the same grid in another order differs: %v", one.Diff(two))
		}
		ladders := expandAll(t, one)
		if diff := cmp.Diff(ladders, expandAll(t, two)); diff != "" {
			t.Fatalf("the same grid in another order expands to others: %s", diff)
		}
		if len(ladders) != wantLadders {
			t.Fatalf("%d ladders, want %d", len(ladders), wantLadders)
		}
		seen := map[trial.ID]bool{}
		trials := 0
		for _, l := range ladders {
			for _, rung := range l.Rungs {
				for _, s := range rung.Specs() {
					seen[trial.New(s, "base", "data", "go").ID] = true
					trials++
				}
			}
		}
		if want := wantLadders * len(ladders[0].Rungs) * len(one.Seeds); trials != want || len(seen) != want {
			t.Fatalf("%d trials of which %d differ, want %d", trials, len(seen), want)
		}
	})
}

// Every key counts: another value is another hash and one line of difference.
func TestHashSeesEveryKey(t *testing.T) {
	t.Parallel()
	base := parse(t, minimal)
	for _, tt := range []struct{ section, key, value, want string }{
		{"", "name", "other", "name was g, is now other"},
		{"", "seeds", "[0, 1]", "seeds was [0, 1, 2], is now [0, 1]"},
		{"", "seeds", "[0]", "seeds was [0, 1, 2], is now [0]"},
		{"", "model", "a/b", "model was builtin:gopher, is now a/b"},
		{"data", "train", "[a.txt, c.txt]", "data.train was [a.txt], is now [a.txt, c.txt]"},
		{"data", "train", `"[a.txt, c.txt]"`, `data.train was a.txt, is now "[a.txt, c.txt]"`},
		{"data", "validation", "c.txt", "data.validation was b.txt, is now c.txt"},
		{"data", "validation_sequences", "9", "data.validation_sequences was not set, is now 9"},
		{"data", "sequence_length", "65", "data.sequence_length was 64, is now 65"},
		{"data", "shuffle", "false", "data.shuffle was true, is now false"},
		{"data", "packing", "false", "data.packing was true, is now false"},
		{"lora", "rank", "{from: 1, to: 2}", "lora.rank was [1, 2], is now {from: 1, to: 2}"},
		{"lora", "alpha", "16r", "lora.alpha was 16, is now 16r"},
		{"lora", "dropout", "[0, 0.1]", "lora.dropout was [0], is now [0, 0.1]"},
		{"lora", "target_modules", "c_attn", "lora.target_modules was [c_attn], is now c_attn"},
		{"lora", "use_rslora", "true", "lora.use_rslora was false, is now true"},
		{"lora", "init", "gaussian", "lora.init was kaiming, is now gaussian"},
		{"lora", "init_adapter", "start", "lora.init_adapter was not set, is now start"},
		{"train", "steps", "11", "train.steps was 10, is now 11"},
		{"train", "batch_size", "9", "train.batch_size was 8, is now 9"},
		{"train", "gradient_accumulation_steps", "2", "train.gradient_accumulation_steps was 1, is now 2"},
		{"train", "learning_rate", "6e-5", "train.learning_rate was 5e-05, is now 6e-05"},
		{"train", "lr_scheduler_type", "cosine", "train.lr_scheduler_type was linear, is now cosine"},
		{"train", "warmup_steps", "1", "train.warmup_steps was 0, is now 1"},
		{"train", "warmup_ratio", "0.1", "train.warmup_ratio was not set, is now 0.1"},
		{"train", "weight_decay", "0.01", "train.weight_decay was 0, is now 0.01"},
		{"train", "max_grad_norm", "0", "train.max_grad_norm was 1, is now 0"},
		{"train", "eval_steps", "1", "train.eval_steps was not set, is now 1"},
		{"train", "dtype", "bfloat16", "train.dtype was float32, is now bfloat16"},
		{"train", "dtype", "nf4", "train.dtype was float32, is now nf4"},
		{"train", "gradient_checkpointing", "true", "train.gradient_checkpointing was false, is now true"},
		{"plateau", "min_gain", "0.7%", "plateau.min_gain was 0.5%, is now 0.7%"},
		{"plateau", "min_gain", "0.005", "plateau.min_gain was 0.5%, is now 0.005"},
		{"plateau", "patience", "3", "plateau.patience was 2, is now 3"},
		{"plateau", "confidence", "0.9", "plateau.confidence was 0.95, is now 0.9"},
		{"plateau", "noise_sd", "0.004", "plateau.noise_sd was not set, is now 0.004"},
		{"limits", "memory", "8GiB", "limits.memory was not set, is now 8GiB"},
		{"limits", "memory", "8GB", "limits.memory was not set, is now 8GB"},
		{"limits", "time", "90m", "limits.time was not set, is now 1h30m0s"},
		{"limits", "trial_time", "90s", "limits.trial_time was not set, is now 1m30s"},
	} {
		t.Run(tt.section+"."+tt.key, func(t *testing.T) {
			t.Parallel()
			text := gridText{
				"": {"name": "g", "model": "builtin:gopher"}, "data": {"train": "a.txt", "validation": "b.txt", "sequence_length": "64"},
				"lora": {"rank": "[1, 2]", "alpha": "16", "target_modules": "[c_attn]"}, "train": {"steps": "10"},
				"plateau": {"patience": "2"}, "limits": {},
			}
			text[tt.section][tt.key] = tt.value
			if len(text["limits"]) == 0 {
				delete(text, "limits")
			}
			other := parse(t, text.write(rand.New(rand.NewPCG(1, 1))))
			if diff := cmp.Diff([]string{tt.want}, base.Diff(other)); diff != "" {
				t.Errorf("Diff: -want +got\n%s", diff)
			}
			if other.Hash() == base.Hash() {
				t.Error("the hash is the same")
			}
		})
	}
}

// Spelling a default out, or a number in another way, changes nothing.
func TestHashIgnoresSpelling(t *testing.T) {
	t.Parallel()
	base := parse(t, minimal).Hash()
	for _, extra := range []string{
		"name: g\n", "seeds: [0, 1, 2]\n", "plateau: {min_gain: 0.50%, patience: 2, confidence: 0.95, stop: likely}\n",
		"# comment\n", "seeds:\n- 0\n- 1\n- 2\n", "limits: {}\n",
	} {
		if got := parse(t, minimal+extra).Hash(); got != base {
			t.Errorf("hash changes with %q", extra)
		}
	}
	for _, change := range [][2]string{
		{"steps: 10", "steps: [10], learning_rate: 0.5e-4, max_grad_norm: 1.0, weight_decay: -0.0, dtype: \"float32\""},
		{"alpha: 16", "alpha: 16.0, dropout: [0.0]"},
		{"alpha: 16", "alpha: 1.6e1"},
	} {
		if got := parse(t, strings.Replace(minimal, change[0], change[1], 1)).Hash(); got != base {
			t.Errorf("hash changes with %q", change[1])
		}
	}
}
