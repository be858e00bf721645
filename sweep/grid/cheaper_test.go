package grid_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// planGrid expands a grid as a plan does, on models of two widths and 128 000 ids of text.
func planGrid(g grid.Grid) (sweep.Registration, sweep.Info, error) {
	models := map[string]trial.ModelInfo{}
	for i, ref := range g.Resolve("/grids").Models() {
		models[ref] = trial.ModelInfo{
			Reference: ref, Modules: sweeptest.GPT2Modules(1, 16>>i), Tensors: sweeptest.GPT2Tensors(), MaxPositions: 512,
		}
	}
	ladders, _, err := g.Resolve("/grids").Expand(models)
	if err != nil {
		return sweep.Registration{}, sweep.Info{}, err
	}
	for i, l := range ladders {
		data := l.Spec().Data
		rows := 128_000 / data.SequenceLength
		ladders[i] = l.On(trial.CorpusInfo{
			Fingerprint: "data", TrainSequences: rows, TrainTokens: int64(rows * (data.SequenceLength - 1)),
			ValidationSequences: data.ValidationSequences,
		}, "", "go")
	}
	info := sweep.Info{Rule: g.Rule(), Seeds: g.Seeds, Limits: g.Limits()}
	info.Rule.GridSeeds = g.Seeds
	return sweep.Registration{Ladders: ladders}, info, nil
}

// measured are estimates by what one step and one evaluation take.
func measured(t interface{ Fatal(...any) }, r sweep.Registration, limits sweep.Limits) (all []sweep.LadderEstimate) {
	for _, l := range r.Ladders {
		m := sweep.Measurement{Startup: 0.1, EvalSeconds: 0.01 * float64(l.Corpus.ValidationSequences), StepSeconds: 0.1, Bytes: 1 << 20}
		low, high := m, m
		low.Rank, high.Rank = l.Rungs[0].Rank, l.Rungs[len(l.Rungs)-1].Rank
		e, err := l.Estimate(sweep.MeasuredEnds{Low: low, High: high}, limits)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// offered is the cheaper grid of one that meets a limit.
func offered(t interface{ Fatal(...any) }, g grid.Grid) (sweep.Cheaper, sweep.Registration, bool) {
	r, info, err := planGrid(g)
	if err != nil {
		t.Fatal(err)
	}
	estimates := measured(t, r, info.Limits)
	f := r.Forecast(info, estimates, sweep.Before{}, 1)
	c, ok := f.Fitting(r, estimates, info, 1, g.Gives)
	return c, r, ok
}

// paste puts the lines of a cheaper grid into a grid as a person would.
func (g gridText) paste(c sweep.Cheaper) {
	section := ""
	for line := range strings.Lines(c.Grid) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch top := !strings.HasPrefix(line, " "); {
		case top && value == "":
			section = key
		case top:
			g[""][key] = strings.TrimSpace(value)
		default:
			g[section][key] = strings.TrimSpace(value)
		}
	}
	for _, path := range c.Remove {
		section, key, _ := strings.Cut(path, ".")
		delete(g[section], key)
	}
}

// TestCheaperGrids: what is offered of grids whose keys depend on each other.
func TestCheaperGrids(t *testing.T) {
	t.Parallel()
	const less = "data:\n  validation_sequences: 64\n  sequence_length: 64\n"
	for name, test := range map[string]struct {
		train, rank, limits string
		want                string
		remove              []string
	}{
		"the warm-up keeps its share": {
			"steps: 500, warmup_steps: 300", "[1, 2]", "tokens: 2_000_000", "train:\n  steps: 250\n  warmup_steps: 150\n", nil,
		},
		"as a share it stays": {"steps: 500, warmup_ratio: 0.5", "[1, 2]", "tokens: 2_000_000", "train:\n  steps: 250\n", nil},
		"steps instead of epochs": {
			"num_train_epochs: 4", "[1, 2]", "tokens: 2_000_000", "train:\n  steps: 250\n", []string{"train.num_train_epochs"},
		},
		"an axis of steps stays": {
			"steps: [2000, 3000]", "[1, 2]", "time: 18m", less + "seeds: [0, 1]\n", nil,
		},
		"an axis of warm-ups stays": {"steps: 500, warmup_steps: [0, 300]", "[1, 2]", "tokens: 4_000_000", "train:\n  steps: 300\n", nil},
		"an axis of epochs stays":   {"num_train_epochs: [4, 5]", "[1, 2]", "tokens: 5_000_000", "seeds: [0, 1]\n", nil},
		"an axis of long warm-ups stays": {
			"num_train_epochs: 4, warmup_steps: [0, 600]", "[1, 2]", "tokens: 5_000_000", "seeds: [0, 1]\n", nil,
		},
		"three of four ranks": {
			"steps: 100", "[1, 2, 4, 8]", "time: 60s", less + "lora:\n  rank: [1, 4, 8]\nseeds: [0, 1]\n", nil,
		},
		"full fine-tuning stays": {
			"steps: 100", "[1, 2, 4, 8, full]", "time: 82s", less + "lora:\n  rank: [1, 4, 8, full]\nseeds: [0, 1]\n", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := parse(t, "model: builtin:a\ndata: {train: a.txt, validation: b.txt, sequence_length: 128, validation_sequences: 128}\n"+
				"lora: {rank: "+test.rank+", alpha: 16, target_modules: [c_attn]}\ntrain: {"+test.train+"}\nseeds: [0, 1, 2]\n"+
				"limits: {"+strings.ReplaceAll(test.limits, "_", "")+"}\n")
			offer, _, _ := offered(t, g)
			if offer.Grid != test.want || !slices.Equal(offer.Remove, test.remove) {
				t.Errorf("remove %v, replace\n%s", offer.Remove, offer.Grid)
			}
		})
	}
}

// TestCheaperIsAGrid: what is offered, put into the grid, is one that is accepted, has all axes and enough ranks and keeps the limit.
func TestCheaperIsAGrid(t *testing.T) {
	t.Parallel()
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawCostly(t)
		order := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "order")))
		text := g.write(order)
		before, err := grid.Parse("g.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		offer, planned, ok := offered(t, before)
		if !ok {
			return
		}
		found++
		g.paste(offer)
		pasted := g.write(order)
		after, err := grid.Parse("g.yaml", []byte(pasted))
		if err != nil {
			t.Fatalf("%v\n%s\nin\n%s", err, offer.Grid, text)
		}
		if with, err := grid.With("g.yaml", []byte(text), offer.Grid, offer.Remove...); err != nil || with.Hash() != after.Hash() {
			t.Fatalf("%v: with the lines it is another grid than\n%s", err, pasted)
		}
		r, info, err := planGrid(after)
		if err != nil {
			t.Fatalf("%v\n%s\nin\n%s", err, offer.Grid, text)
		}
		if len(r.Ladders) != len(planned.Ladders) || len(r.Ladders[0].Candidates) != len(planned.Ladders[0].Candidates) ||
			len(r.Ladders[0].Reference) == 0 != (len(planned.Ladders[0].Reference) == 0) {
			t.Fatalf("an axis or the reference has gone:\n%s\nin\n%s", offer.Grid, text)
		}
		if n := len(r.Ladders[0].Rungs); n < min(3, len(planned.Ladders[0].Rungs)) {
			t.Fatalf("%d ranks are left:\n%s\nin\n%s", n, offer.Grid, text)
		}
		if !strings.Contains(offer.Grid, "sequence_length") { // a step takes the same here for all lengths
			again := r.Forecast(info, measured(t, r, info.Limits), sweep.Before{}, 1)
			for _, l := range again.Limits {
				if l.Needed > l.Value*1.05 { // an evaluation more
					t.Fatalf("%s with\n%s\nin\n%s", l, offer.Grid, text)
				}
			}
		}
	})
	if found == 0 {
		t.Error("no grid was offered")
	}
}

// drawCostly draws a grid that may meet the limit that it has.
func drawCostly(t *rapid.T) gridText {
	of := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	g := gridText{
		"": {"name": "p", "model": of("model", "builtin:a", "[builtin:a, builtin:b]"), "seeds": of("seeds", "[0]", "[0, 1, 2]", "[5, 3, 7, 1]")},
		"data": {
			"train": "builtin:go-doc", "validation_split": "0.25", "sequence_length": of("length", "64", "256"),
			"validation_sequences": of("validation", "16", "400"),
		},
		"lora": {
			"rank": of("rank", "4", "[1, 2]", "[1, 2, 4, 8]", "{from: 1}", "{from: 1, to: 8}", "[1, 2, 3, 4, 5, 6, 7, 8]"), "alpha": "16",
			"target_modules": "[c_attn]",
		},
		"train":  {},
		"limits": {},
	}
	if full := g["lora"]["rank"]; strings.HasSuffix(full, "8]") && rapid.Bool().Draw(t, "full") {
		g["lora"]["rank"] = strings.TrimSuffix(full, "]") + ", full]"
	}
	g["train"][of("long", "steps", "num_train_epochs")] = of("steps", "400", "[400, 500]", "1000")
	if _, epochs := g["train"]["num_train_epochs"]; epochs {
		g["train"]["num_train_epochs"] = of("epochs", "1", "[1, 1.5]", "2.5")
	}
	for _, key := range []string{"warmup_steps 300", "warmup_steps [20, 300]", "warmup_ratio 0.5", "batch_size [4, 8]", "eval_steps 350"} {
		name, value, _ := strings.Cut(key, " ")
		if _, ratio := g["train"]["warmup_steps"]; name == "warmup_ratio" && ratio {
			continue
		}
		if rapid.Bool().Draw(t, key) {
			g["train"][name] = value
		}
	}
	for _, name := range []string{"steps", "batch_size"} {
		if strings.HasPrefix(g["train"][name], "[") && rapid.Bool().Draw(t, "tune "+name) {
			g["train"]["tune"] = "[" + name + "]"
		}
	}
	limit := of("limit", "tokens", "time", "trial_time")
	value := map[string]string{
		"tokens":     of("tokens", "300000", "3000000", "10000000"),
		"time":       (time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute).String(),
		"trial_time": of("trial_time", "20s", "1m"),
	}[limit]
	g["limits"][limit] = value
	return g
}
