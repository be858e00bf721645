package grid_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// parse reads a grid given as text.
func parse(t *testing.T, text string) grid.Grid {
	t.Helper()
	g, err := grid.Parse("g.yaml", []byte(text))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return g
}

// expand expands a grid on GPT-2 models of width 8: attention projects 8 to 24 and 8 to 8, so every full rank is 8.
func expand(t *testing.T, g grid.Grid) ([]sweep.LadderPlan, []string, error) {
	t.Helper()
	models := map[string]trial.ModelInfo{}
	for _, ref := range g.Resolve("/grids").Models() {
		models[ref] = trial.ModelInfo{Reference: ref, Modules: sweeptest.GPT2Modules(2, 8), Tensors: sweeptest.GPT2Tensors(), MaxPositions: 128}
	}
	return g.Resolve("/grids").Expand(models)
}

func ranks(l sweep.LadderPlan) []int {
	var out []int
	for _, r := range l.Rungs {
		out = append(out, r.Rank)
	}
	return out
}

func mustExpand(t *testing.T, g grid.Grid) []sweep.LadderPlan {
	t.Helper()
	ladders, _, err := expand(t, g)
	if err != nil {
		t.Fatal(err)
	}
	return ladders
}

func TestExpandDefaults(t *testing.T) {
	t.Parallel()
	g := parse(t, strings.Replace(minimal, "rank: [1, 2], alpha: 16", "rank: 4", 1))
	ladders := mustExpand(t, g)
	want := trial.Spec{
		Model: "builtin:gopher",
		Data: trial.DataSpec{
			Train: []string{"/grids/a.txt"}, Validation: []string{"/grids/b.txt"}, SequenceLength: 64, Shuffle: true, Packing: true,
		},
		LoRA: lora.Spec{Rank: 4, Alpha: 8, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming"},
		Train: trial.TrainSpec{
			Steps: 10, BatchSize: 8, GradientAccumulationSteps: 1, LearningRate: 5e-5, LRSchedulerType: "linear", MaxGradNorm: 1,
			EvalSteps: 1, Dtype: "float32",
		},
		Seed: 1,
	}
	if len(ladders) != 1 || len(ladders[0].Rungs) != 1 || len(ladders[0].Rungs[0].Trials) != 3 {
		t.Fatalf("got %d ladders, want 1 of 1 rank and 3 seeds", len(ladders))
	}
	if diff := cmp.Diff(want, ladders[0].Rungs[0].Trials[1].Trial.Spec()); diff != "" {
		t.Errorf("spec: -want +got\n%s", diff)
	}
	wantCell := "model=builtin:gopher target_modules=[c_attn] alpha=8 dropout=0 use_rslora=false init=kaiming steps=10 batch_size=8 " +
		"gradient_accumulation_steps=1 learning_rate=5e-05 lr_scheduler_type=linear warmup_steps=0 weight_decay=0 max_grad_norm=1 " +
		"eval_steps=1 dtype=float32 sequence_length=64"
	if got := ladders[0].Cell.String(); got != wantCell {
		t.Errorf("cell = %s\nwant   %s", got, wantCell)
	}
	if diff := cmp.Diff(sparing(), g.Rule()); diff != "" || g.Limits() != (sweep.Limits{}) || g.Name != "g" {
		t.Errorf("name %s, limits %v, rule: %s", g.Name, g.Limits(), diff)
	}
}

// What asks for epochs has no steps before the data is read; a share of known steps is resolved at once. Neither is part of a trial.
func TestExpandEpochs(t *testing.T) {
	t.Parallel()
	epochs := strings.Replace(minimal, "steps: 10", "num_train_epochs: [2, 2.5], batch_size: 4, "+
		"gradient_accumulation_steps: 3, warmup_ratio: 0.1", 1)
	ladders := mustExpand(t, parse(t, epochs))
	if got := ladders[1].Cell.String(); !strings.Contains(got, "num_train_epochs=2.5") || !strings.Contains(got, " warmup_ratio=0.1 ") ||
		strings.Contains(got, " steps=") || strings.Contains(got, "warmup_steps") || strings.Contains(got, "eval_steps") {
		t.Errorf("cell = %s", got)
	}
	if got := ladders[1].Spec().Train; got.Steps != 0 || got.Epochs != 2.5 {
		t.Errorf("before the data is read: %+v", got)
	}
	// 50 rows are 13 batches of 4 and 5 steps of 3; 2.5 epochs are 13 steps, as transformers counts them.
	on := ladders[1].On(trial.CorpusInfo{TrainSequences: 50}, "", "go")
	plain := strings.Replace(minimal, "steps: 10", "steps: 13, batch_size: 4, "+
		"gradient_accumulation_steps: 3, warmup_steps: 2, eval_steps: 2", 1)
	want := mustExpand(t, parse(t, plain))[0].On(trial.CorpusInfo{TrainSequences: 50}, "", "go")
	if diff := cmp.Diff(want.Rungs, on.Rungs); diff != "" {
		t.Errorf("2.5 epochs are not the trials of 13 steps: -want +got\n%s", diff)
	}
	ratio := mustExpand(t, parse(t, strings.Replace(minimal, "steps: 10", "steps: 31, warmup_ratio: 0.1", 1)))[0].Spec().Train
	if ratio.Steps != 31 || ratio.WarmupSteps != 4 || ratio.EvalSteps != 4 || ratio.WarmupRatio != 0 {
		t.Errorf("a tenth of 31 steps: %+v", ratio)
	}
}

// The documented order: the first key of the table is the slowest, alpha of the policy "2r" follows each rank, eval_steps
// each number of steps.
func TestExpandAxes(t *testing.T) {
	t.Parallel()
	g := parse(t, `name: axes
model: [builtin:a, builtin:b]
data: {train: [a.txt, builtin:go-doc, /abs/c.txt], validation_split: 0.1, sequence_length: 64}
lora: {rank: [2, 4], alpha: [16, 2r], target_modules: [[c_attn], all-linear], dropout: 0.1, init_adapter: start}
train: {steps: [10, 25], learning_rate: 2e-4}
seeds: [7]
`)
	ladders := mustExpand(t, g)
	var got []string
	for _, l := range ladders {
		got = append(got, l.Cell.Axes().String())
	}
	var want []string
	for _, m := range []string{"a", "b"} {
		for _, target := range []string{"[c_attn]", "all-linear"} {
			for _, alpha := range []string{"16", "2r"} {
				for _, steps := range []string{"10", "25"} {
					want = append(want, "model=builtin:"+m+" target_modules="+target+" alpha="+alpha+" steps="+steps)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("cells: -want +got\n%s", diff)
	}
	last := ladders[len(ladders)-1]
	spec := last.Rungs[1].Trials[0].Trial.Spec()
	if spec.LoRA.Alpha != 8 || spec.Train.EvalSteps != 3 || spec.Seed != 7 || spec.Train.LearningRate != 2e-4 {
		t.Errorf("last spec has alpha %v, eval_steps %v, seed %v, learning_rate %v; want 8, 3, 7, 2e-4",
			spec.LoRA.Alpha, spec.Train.EvalSteps, spec.Seed, spec.Train.LearningRate)
	}
	if diff := cmp.Diff([]string{"/grids/a.txt", "builtin:go-doc", "/abs/c.txt"}, last.Spec().Data.Train); diff != "" {
		t.Errorf("train paths: -want +got\n%s", diff)
	}
	if spec.LoRA.InitAdapter != "/grids/start" {
		t.Errorf("init_adapter = %s", spec.LoRA.InitAdapter)
	}
}

func TestExpandRanks(t *testing.T) {
	t.Parallel()
	const targets = "target_modules: [c_attn]"
	for _, tt := range []struct {
		name, rank, targets string
		want                []int
		warning             string
	}{
		{"one", "8", targets, []int{8}, ""},
		{"list", "[1, 3, 8]", targets, []int{1, 3, 8}, ""},
		{"from to", "{from: 1, to: 4}", targets, []int{1, 2, 4}, ""},
		{"to is the last rank though no doubling meets it", "{from: 1, to: 7}", targets, []int{1, 2, 4, 7}, ""},
		{"from equals to", "{from: 3, to: 3}", targets, []int{3}, ""},
		{
			"open", "{from: 3}", targets,
			[]int{3, 6, 8},
			"the ladder of builtin:gopher ends at rank 8, the full rank of transformer.h.0.attn.c_attn, its widest target",
		},
		{
			"to above the width", "{from: 1, to: 256}", targets,
			[]int{1, 2, 4, 8},
			"the ladder of builtin:gopher ends at rank 8, the full rank of transformer.h.0.attn.c_attn, its widest target",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := parse(t, strings.NewReplacer("[1, 2]", tt.rank, targets, tt.targets).Replace(minimal))
			ladders, warnings, err := expand(t, g)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, ranks(ladders[0])); diff != "" {
				t.Errorf("ranks: -want +got\n%s", diff)
			}
			if got := strings.Join(warnings, "; "); got != tt.warning {
				t.Errorf("warnings = %s\nwant       %s", got, tt.warning)
			}
		})
	}
}

func TestExpandErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, text, want string }{
		{
			"rank above the widest target", "[1, 2]", "[1, 16]",
			"g.yaml:3:18: lora.rank: 16 is above 8, the full rank of transformer.h.0.attn.c_attn, the widest target of builtin:gopher; " +
				"remove ranks above 8",
		},
		{
			"one rank, above the widest target", "[1, 2]", "16",
			"g.yaml:3:14: lora.rank: 16 is above 8, the full rank of transformer.h.0.attn.c_attn, the widest target of builtin:gopher; " +
				"remove ranks above 8",
		},
		{
			"ladder that starts above it", "[1, 2]", "{from: 16}",
			"g.yaml:3:21: lora.rank: from 16 is above 8, the full rank of transformer.h.0.attn.c_attn, the widest target of builtin:gopher",
		},
		{
			"sequence longer than the model", "64", "129",
			"g.yaml:2:41: data.sequence_length: 129 is above the 128 positions of builtin:gopher; write at most 128",
		},
		{
			"targets that match nothing", "[c_attn]", "[q_proj]",
			"g.yaml:3:33: target_modules [q_proj] match no module of the model, which has attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj " +
				"(model builtin:gopher)",
		},
		{
			"targets that are all excluded", "[c_attn]", "[c_attn], exclude_modules: [attn.c_attn]",
			"g.yaml:3:59: exclude_modules: it takes out all of the modules that target_modules [c_attn] match; name fewer (model builtin:gopher)",
		},
		{
			"targets that are all saved", "[c_attn]", "[c_attn], modules_to_save: [attn]",
			"g.yaml:3:59: modules_to_save: it takes out all of the modules that target_modules [c_attn] match; name fewer (model builtin:gopher)",
		},
		{
			"targets that keys leave out together", "[c_attn]", "[c_attn], exclude_modules: [h.0.attn.c_attn], layers_to_transform: [0]",
			"g.yaml:3:33: target_modules [c_attn] match 2 of the modules, but exclude_modules, layers_to_transform and modules_to_save together " +
				"leave none of them (model builtin:gopher)",
		},
		{
			"no such layer", "[c_attn]", "[c_attn], layers_to_transform: [7, 8]",
			"g.yaml:3:59: layers_to_transform: [7, 8] is none of the layers of the modules that target_modules [c_attn] match: 2 layers, 0 to " +
				"1 (model builtin:gopher)",
		},
		{
			"no such name before the layer", "[c_attn]", "[c_attn], layers_to_transform: 0, layers_pattern: blocks",
			"g.yaml:3:83: layers_pattern: blocks stands before no number in the names of the modules that target_modules [c_attn] match, such " +
				"as transformer.h.0.attn.c_attn (model builtin:gopher)",
		},
		{
			"no such module to save, and one that is a target", "[c_attn]", "[c_attn], modules_to_save: [nope, _attn]",
			"g.yaml:3:59: modules_to_save: nope is the end of no module's name; there are transformer.wte, ln_1, attn.c_attn, mlp.c_fc, lm_head " +
				"(model builtin:gopher)\n" +
				"g.yaml:3:59: modules_to_save: transformer.h.0.attn.c_attn is also a target of LoRA; write its whole last name, or take " +
				"transformer.h.0.attn.c_attn out of the targets (model builtin:gopher)",
		},
		{
			"a rank of its own for every target", "[c_attn]", "[c_attn], rank_pattern: {attn.c_attn: 2}",
			"g.yaml:3:59: lora.rank_pattern gives every target a rank of its own, so lora.rank changes nothing; leave some target out of it",
		},
		{
			"a rank of its own above the full rank", "[c_attn]", "[c_attn, c_fc], rank_pattern: {c_fc: 9}",
			"g.yaml:3:65: lora.rank_pattern: 9 is above 8, the full rank of transformer.h.0.mlp.c_fc (model builtin:gopher)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := parse(t, strings.Replace(minimal, tt.old, tt.text, 1))
			if _, _, err := expand(t, g); err == nil || err.Error() != tt.want {
				t.Errorf("Expand = %v\nwant     %s", err, tt.want)
			}
		})
	}
}

// TestExpandWarnsOfNothingToScout: one rank has no lower one to show.
func TestExpandWarnsOfNothingToScout(t *testing.T) {
	t.Parallel()
	for ranks, want := range map[string]int{"[4]": 1, "[2, 4]": 0} {
		g := parse(t, "strategy: scout\n"+strings.Replace(minimal, "[1, 2]", ranks, 1))
		if _, warnings, err := expand(t, g); err != nil || len(warnings) != want {
			t.Errorf("ranks %s: %v, warnings %q", ranks, err, warnings)
		}
	}
}

func TestExpandWarnings(t *testing.T) {
	t.Parallel()
	g := parse(t, strings.NewReplacer("[1, 2]", "[1, 4, 6]", "[c_attn]",
		"[narrow, c_attn, nothing], layers_to_transform: [[], [0, 7]]", "steps: 10",
		"steps: 10, warmup_ratio: 0.1, lr_scheduler_type: [constant, constant_with_warmup]").Replace(minimal))
	modules := append(sweeptest.GPT2Modules(1, 8), lora.Module{Name: "narrow", In: 8, Out: 3})
	_, warnings, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{"builtin:gopher": {Modules: modules}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"lr_scheduler_type: constant is warmed up here as the grid asks; Hugging Face's constant ignores a warm-up: write " +
			"constant_with_warmup, which means the same in both, or leave the warm-up out",
		"target_modules: nothing matches no module of builtin:gopher",
		"ranks [4, 6] are above 3, the full rank of narrow, the narrowest target of builtin:gopher: they add nothing there",
		"layers_to_transform: 7 is no layer of builtin:gopher, which has 1 layer, 0",
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings: -want +got\n%s", diff)
	}
}

// TestExpandFraction: each share of the data is a cell; all of it leaves the trials as they are without the key.
func TestExpandFraction(t *testing.T) {
	t.Parallel()
	with := func(fraction string) []sweep.LadderPlan {
		return mustExpand(t, parse(t, strings.Replace(minimal, "data: {", "data: {fraction: "+fraction+", ", 1)))
	}
	ladders := with("[0.25, 1]")
	if len(ladders) != 2 {
		t.Fatalf("%d ladders, want 2", len(ladders))
	}
	for i, want := range []float64{0.25, 0} {
		if got := ladders[i].Spec().Data.Fraction; got != want {
			t.Errorf("ladder %d trains on a fraction of %v, want %v", i, got, want)
		}
		if cell := ladders[i].Cell.Axes().String(); cell != []string{"fraction=0.25", "fraction=1"}[i] {
			t.Errorf("ladder %d is called %q", i, cell)
		}
	}
	whole := mustExpand(t, parse(t, minimal))
	if diff := cmp.Diff(whole, with("1")); diff != "" {
		t.Errorf("fraction: 1 (-without +with):\n%s", diff)
	}
	if parse(t, minimal).Hash() != parse(t, strings.Replace(minimal, "data: {", "data: {fraction: 1, ", 1)).Hash() {
		t.Error("fraction: 1 changes the grid's hash")
	}
}

// sparing is the default rule with the seeds of a grid.
func sparing() plateau.Rule {
	rule := plateau.DefaultRule()
	rule.SeedsPerRank = plateau.NeededSeeds
	return rule
}

// TestExpandQuantised: a spec says how its base is quantised, and what is computed with where that is not float32.
func TestExpandQuantised(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"dtype: nf4":                                  `"dtype":"nf4"}`,
		"dtype: int8, compute_dtype: float32":         `"dtype":"int8"}`,
		"dtype: [nf4, int8], compute_dtype: bfloat16": `"dtype":"nf4","compute_dtype":"bfloat16"}`,
	} {
		l := mustExpand(t, parse(t, strings.Replace(minimal, "steps: 10", "steps: 10, "+keys, 1)))[0]
		body, err := json.Marshal(l.Spec().Train)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(body), want) {
			t.Errorf("%s: %s, want %s", keys, body, want)
		}
		if strings.Contains(l.Cell.String(), "compute_dtype") != strings.Contains(want, "compute_dtype") {
			t.Errorf("%s: cell %s", keys, l.Cell)
		}
	}
}

// TestExpandGGUF: dtype gguf needs a file whose quantised weights can all stay so.
func TestExpandGGUF(t *testing.T) {
	t.Parallel()
	g := parse(t, strings.Replace(minimal, "steps: 10", "steps: 10, dtype: gguf", 1))
	for want, formats := range map[string][]string{
		"": {"Q4_1", "Q8_0"},
		"g.yaml:4:20: train.dtype: gguf keeps what a GGUF file has quantised, and model builtin:gopher has nothing quantised; ": nil,
		"g.yaml:4:20: train.dtype: model builtin:gopher has weights in Q2_K, which cannot stay quantised (Q4_0, Q4_1, ":         {"Q2_K", "Q6_K"},
	} {
		const ref = "builtin:gopher"
		_, _, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{
			ref: {Reference: ref, Modules: sweeptest.GPT2Modules(2, 8), Tensors: sweeptest.GPT2Tensors(), Quantised: formats},
		})
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: Expand = %v, want %s", formats, err, want)
		}
	}
}

// Checkpointing is a setting of every trial: a cell names it where it is on, and a spec without it is written as ever.
func TestExpandCheckpointing(t *testing.T) {
	t.Parallel()
	for value, on := range map[string]bool{"true": true, "false": false} {
		l := mustExpand(t, parse(t, strings.Replace(minimal, "steps: 10", "steps: 10, gradient_checkpointing: "+value, 1)))[0]
		body, err := json.Marshal(l.Spec().Train)
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"cell": l.Cell.String(), "spec": string(body)} {
			if strings.Contains(text, "gradient_checkpointing") != on {
				t.Errorf("gradient_checkpointing: %s: %s %s", value, what, text)
			}
		}
	}
}
