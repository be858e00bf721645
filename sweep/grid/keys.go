package grid

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// defaultGrid holds the defaults: PEFT's (LoraConfig 0.21) and Hugging Face's (TrainingArguments 5.x) where those exist.
func defaultGrid(file string) Grid {
	base := filepath.Base(file)
	return Grid{
		Name:     strings.TrimSuffix(base, filepath.Ext(base)),
		Seeds:    []int64{0, 1, 2},
		file:     file,
		data:     trial.DataSpec{Shuffle: true, Packing: true},
		fraction: []float64{1},
		alpha:    []alpha{{value: 8}},
		dropout:  []float64{0},
		rsLoRA:   []bool{false},
		init:     []string{lora.InitKaiming},
		exclude:  []lora.Targets{{}}, layers: [][]int{nil}, layersName: [][]string{nil}, save: [][]string{nil},
		dora: []bool{false}, bias: []string{lora.BiasNone},
		train: trainAxes{
			steps: []int{0}, epochs: []float64{0}, batchSize: []int{8}, accumulation: []int{1}, warmup: []int{0}, warmupRatio: []float64{0},
			evalSteps:    []int{0},
			learningRate: []float64{5e-5}, weightDecay: []float64{0}, maxGradNorm: []float64{1},
			scheduler: []string{trial.SchedulerLinear}, dtype: []string{trial.DtypeFloat32},
		},
		compute: trial.DtypeFloat32, strategy: sweep.StrategyLadder, race: true,
		rule: sparingRule(),
	}
}

// sparingRule is the default rule, which trains no seed that its decisions do not need.
func sparingRule() plateau.Rule {
	rule := plateau.DefaultRule()
	rule.SeedsPerRank = plateau.NeededSeeds
	return rule
}

// gridKeys is the grid file: every key, with its description for the documentation. The axes among them vary from the first, the
// slowest, to the last, the fastest.
func gridKeys() []key {
	keys := []key{
		singleKey("name", "Name of the sweep: at most 240 letters, digits, '.', '_' and '-'. Default: the file's name without its extension.",
			nameCodec(), func(g *Grid) *string { return &g.Name }),
		axisKey("model", "Base model: builtin:<name>, a local folder in Hugging Face layout, a .gguf file, or a hub id (exactly one slash and "+
			"no such folder). Axis.",
			textCodec("builtin:<name>, a folder, a .gguf file or a hub id"), func(g *Grid) *[]string { return &g.model },
			func(s *trial.Spec, v string) { s.Model = v }).needs("model: builtin:gopher"),
	}
	keys = append(keys, dataKeys()...)
	keys = append(keys, loraKeys()...)
	keys = append(keys, trainKeys()...)
	keys = append(keys, tuneKey(keys))
	seeds := listKey("seeds", "Seeds: one trial per rank and seed. Every rank sees the same batches and dropout masks for one seed.",
		wholeCodec(0, math.MaxUint32), func(g *Grid) *[]int64 { return &g.Seeds })
	seeds.schema = listOf(wholeCodec(0, math.MaxUint32).schema)
	seeds.read = readSeeds
	keys = append(keys, seeds, seedsPerRankKey(), strategyKey(), raceKey())
	return append(keys, ruleKeys()...)
}

func dataKeys() []key {
	const paths = "builtin:<name>, paths or globs relative to the grid file, or a data set of the hub (owner/name:config:split)"
	return []key{
		listKey("data.train", "Training corpus: "+paths+". Text files, or jsonl, json, csv, tsv or parquet with text, prompt and completion, "+
			"instruction and output, chat messages, or input_ids (labels); a list is concatenated in order.", textCodec(paths),
			func(g *Grid) *[]string { return &g.data.Train }).needs("train: notes/*.txt"),
		listKey("data.validation", "Validation corpus, likewise. Either this or validation_split.", textCodec(paths),
			func(g *Grid) *[]string { return &g.data.Validation }),
		singleKey("data.validation_split", "Share of the training documents to validate on instead, chosen by hash of the document.",
			numberCodec(0, true, 1), func(g *Grid) *float64 { return &g.data.ValidationSplit }).optional("0"),
		singleKey("data.validation_sequences", "Validate on at most this many sequences, drawn once, the same for every seed "+
			"and rank. Default: all.",
			countCodec(1), func(g *Grid) *int { return &g.data.ValidationSequences }).optional("0"),
		singleKey("data.sequence_length", "Token ids per sequence; all but the first are predicted. At most the model's positions.",
			countCodec(2), func(g *Grid) *int { return &g.data.SequenceLength }).needs("sequence_length: 128"),
		singleKey("data.shuffle", "Draw training sequences in random order, anew each epoch; false keeps the order of the files.",
			boolCodec(), func(g *Grid) *bool { return &g.data.Shuffle }),
		singleKey("data.packing", "Join text documents and cut them into full sequences, without attention from one document to "+
			"another; false starts a "+
			"sequence with each document. Other rows are a sequence each.",
			boolCodec(), func(g *Grid) *bool { return &g.data.Packing }),
		singleKey("data.completion_only_loss", "Score completions and assistant turns only; false scores prompts and the other turns too.",
			negated(boolCodec()), func(g *Grid) *bool { return &g.data.ScorePrompts }),
		singleKey("data.chat_template_kwargs", "What the model's chat template is given by name beside the messages, such as "+
			"{enable_thinking: false}. A row's own column of this name counts more.",
			kwargsCodec(), func(g *Grid) *json.RawMessage { return &g.data.ChatTemplateKwargs }),
		listKey("data.retain", "Corpus that must not be forgotten, given like data.validation: scored at every evaluation (at most "+
			"validation_sequences of it), never trained on.", textCodec(paths),
			func(g *Grid) *[]string { return &g.data.Retain }),
		axisKey("data.fraction", "Train on this share of the training documents (rows; paragraphs of text files), chosen by hash, so that a "+
			"smaller share is part of a larger one; above 0, at most 1. The validation data stay the same. Axis.", shareCodec(),
			func(g *Grid) *[]float64 { return &g.fraction }, func(s *trial.Spec, v float64) {
				if v < 1 {
					s.Data.Fraction = v
				}
			}).unset("1"),
		columnsKey(),
		singleKey("data.skip_bad_rows", "Leave out rows that cannot be read or encoded, and say how many and which; false makes them an error "+
			"that counts them all.", boolCodec(), func(g *Grid) *bool { return &g.data.SkipBadRows }),
		singleKey("data.long_rows", "What becomes of rows longer than sequence_length: cut at the right, drop, or error. Packed text is "+
			"never longer.", longRowsCodec(), func(g *Grid) *string { return &g.data.LongRows }),
	}
}

func trainKeys() []key {
	return slices.Concat(lengthKeys(), rateKeys(), []key{
		axisKey("train.weight_decay", "AdamW's weight decay, on every trainable tensor; under LoRA+ (loraplus_lr_ratio) not on biases and "+
			"layer norms. Axis.", numberCodec(0, false, math.Inf(1)),
			func(g *Grid) *[]float64 { return &g.train.weightDecay }, func(s *trial.Spec, v float64) { s.Train.WeightDecay = v }),
		axisKey("train.max_grad_norm", "Gradients are clipped to this norm; 0 means no clipping. Axis.", numberCodec(0, false, math.Inf(1)),
			func(g *Grid) *[]float64 { return &g.train.maxGradNorm }, func(s *trial.Spec, v float64) { s.Train.MaxGradNorm = v }),
		evalStepsKey(),
		axisKey("train.dtype", "Type of the base model and the compute; adapters and moments stay float32. auto, alone, is bfloat16 "+
			"where a short measurement finds its products clearly faster, else float32; a sweep keeps what it began with. Three quantise "+
			"the base and leave the compute to compute_dtype: nf4 as QLoRA's (blocks of 64) and int8 (blocks of 64) the linear modules of "+
			"the transformer blocks; gguf keeps what a GGUF file has in "+strings.Join(trial.KeptFormats(), ", ")+". Axis.",
			choiceCodec(append(trial.Dtypes(), trial.DtypeAuto)...), func(g *Grid) *[]string { return &g.train.dtype },
			func(s *trial.Spec, v string) { s.Train.Dtype = v }),
		singleKey("train.compute_dtype", "Type that is computed with where dtype is nf4, int8 or gguf, as bnb_4bit_compute_dtype: weights "+
			"become numbers of this type beside each product.",
			choiceCodec(trial.DtypeFloat32, trial.DtypeBFloat16), func(g *Grid) *string { return &g.compute }),
		singleKey("train.gradient_checkpointing", "Keep only the input of each transformer block for the backward pass and compute the rest "+
			"again there: much less memory, more time, the same losses but for rounding.",
			boolCodec(), func(g *Grid) *bool { return &g.checkpoints }),
	})
}

// lengthKeys say how long a trial trains, and on how much at once.
func lengthKeys() []key {
	return []key{
		axisKey("train.steps", "Optimiser steps. Either this or num_train_epochs. Axis.", countCodec(1),
			func(g *Grid) *[]int { return &g.train.steps }, func(s *trial.Spec, v int) { s.Train.Steps = v }).unset("0").needs("steps: 300"),
		axisKey("train.num_train_epochs", "Passes over the training rows instead of steps; a fraction is fine. Steps are then those of "+
			"Hugging Face's Trainer: num_train_epochs times the steps of an epoch, both rounded up. Axis.",
			numberCodec(0, true, maxWhole), func(g *Grid) *[]float64 { return &g.train.epochs },
			func(s *trial.Spec, v float64) { s.Train.Epochs = v }).unset("0"),
		axisKey("train.batch_size", "Sequences per forward pass. Axis.", countCodec(1), func(g *Grid) *[]int { return &g.train.batchSize },
			func(s *trial.Spec, v int) { s.Train.BatchSize = v }),
		axisKey("train.gradient_accumulation_steps", "Forward passes per optimiser step. Axis.", countCodec(1),
			func(g *Grid) *[]int { return &g.train.accumulation }, func(s *trial.Spec, v int) { s.Train.GradientAccumulationSteps = v }),
	}
}

// rateKeys are the learning rate and its course.
func rateKeys() []key {
	warmup := axisKey("train.warmup_steps", "Optimiser steps in which the learning rate grows from 0. Axis.", countCodec(0),
		func(g *Grid) *[]int { return &g.train.warmup }, func(s *trial.Spec, v int) { s.Train.WarmupSteps = v })
	steps := warmup.axis.cell
	warmup.axis.cell = func(s *trial.Spec, g *Grid, i int) string {
		if slices.Max(g.train.warmupRatio) > 0 {
			return ""
		}
		return steps(s, g, i)
	}
	return []key{
		axisKey("train.learning_rate", "Peak learning rate of AdamW. Axis.", numberCodec(0, true, math.Inf(1)),
			func(g *Grid) *[]float64 { return &g.train.learningRate }, func(s *trial.Spec, v float64) { s.Train.LearningRate = v }),
		listKey("train.full_learning_rate", "Learning rates of the reference (full in lora.rank), of which the best counts. No axis. Default: "+
			"a tenth of learning_rate.", numberCodec(0, true, math.Inf(1)), func(g *Grid) *[]float64 { return &g.fullRate }),
		axisKey("train.lr_scheduler_type", "Learning rate after the warm-up. constant honours a warm-up too, unlike Hugging Face's, where only "+
			"constant_with_warmup does. Axis.",
			choiceCodec(trial.Schedulers()...), func(g *Grid) *[]string { return &g.train.scheduler },
			func(s *trial.Spec, v string) { s.Train.LRSchedulerType = v }),
		warmup,
		axisKey("train.warmup_ratio", "The warm-up as a share of the steps, rounded up, instead of warmup_steps (in transformers 5, a "+
			"warmup_steps below 1). Axis.", numberCodec(0, false, 1),
			func(g *Grid) *[]float64 { return &g.train.warmupRatio }, func(s *trial.Spec, v float64) { s.Train.WarmupRatio = v }).unset("0"),
	}
}

// evalStepsKey leaves its default, a tenth of the steps rounded up as Hugging Face rounds shares, to TrainSpec.OnRows.
func evalStepsKey() key {
	k := axisKey("train.eval_steps",
		"Optimiser steps between evaluations; the start and the last step are always evaluated. Default: a tenth of steps. Axis.",
		countCodec(1), func(g *Grid) *[]int { return &g.train.evalSteps },
		func(s *trial.Spec, v int) { s.Train.EvalSteps = v }).optional("0")
	k.axis.cell = func(s *trial.Spec, _ *Grid, _ int) string {
		if s.Train.EvalSteps == 0 {
			return ""
		}
		return strconv.Itoa(s.Train.EvalSteps)
	}
	return k
}

func seedsPerRankKey() key {
	return singleKey("seeds_per_rank", "How many of the seeds each rank is trained with: needed begins with one or two and takes the others "+
		"where the gain is near min_gain, and for the incumbent and all ranks above it before a plateau is claimed; all trains every seed. "+
		"Tuned and screened ranks take all.",
		choiceCodec(string(plateau.NeededSeeds), string(plateau.EverySeed)), func(g *Grid) *string { return (*string)(&g.rule.SeedsPerRank) })
}

func strategyKey() key {
	return singleKey("strategy", "Which ranks are trained on the way to a verdict: ladder climbs from the lowest. screen trains the "+
		"largest that fits into "+
		"limits.memory, evaluates its adapters truncated to every lower rank, and climbs only around the rank where those losses flatten, "+
		"lower for as long as "+
		"the answer has no trained neighbour below. scout does the same around the curve of one trial, which shows every rank: see sweep help "+
		"scout. A min_gain in % is then a share of the loss at the lowest rank of that climb.",
		choiceCodec(string(sweep.StrategyLadder), string(sweep.StrategyScreen), string(sweep.StrategyScout)),
		func(g *Grid) *string { return (*string)(&g.strategy) })
}

func raceKey() key {
	return singleKey("race", "In a grid of several ladders, stop one (verdict outraced) once two ranks in a row certainly leave it more than "+
		"min_gain behind the best, however far it might still catch up, or with strategy: scout once the scouts of all show it. Ladders of one "+
		"model and data race, from three ranks and, without scouts, two seeds on. They climb in step. false climbs each to its own verdict.",
		boolCodec(), func(g *Grid) *bool { return &g.race })
}

func ruleKeys() []key {
	noiseSD := singleKey("plateau.noise_sd",
		"Standard deviation, in nats, of one validation loss after removing what seeds share; used where a rung "+
			"has one seed. Default: from a finished sweep of the same model, data and training, else "+
			strconv.FormatFloat(100*plateau.DefaultNoise, 'g', -1, 64)+" % of the lowest rank's loss.",
		numberCodec(0, true, math.Inf(1)), func(g *Grid) *float64 { return &g.rule.NoiseSD }).optional("0")
	return []key{
		singleKey("plateau.min_gain", "Smallest gain worth a higher rank: nats, or a share of the lowest rank's mean loss.",
			gainCodec(), func(g *Grid) *plateau.MinGain { return &g.rule.MinGain }),
		singleKey("plateau.patience", "Rungs without a worthwhile gain before a ladder stops.", countCodec(1),
			func(g *Grid) *int { return &g.rule.Patience }),
		singleKey("plateau.confidence", "Confidence of the claims.", numberCodec(0.5, false, 1),
			func(g *Grid) *float64 { return &g.rule.Confidence }),
		singleKey("plateau.stop", "What lets a ladder stop before its last rank: likely stops on probabilities and trains no "+
			"further seeds; certified "+
			"trains further seeds, up to max_seeds, where a stop cannot be certified with those of the grid, and climbs on where they "+
			"do not certify it either.",
			choiceCodec(string(plateau.StopLikely), string(plateau.StopCertified)), func(g *Grid) *string { return (*string)(&g.rule.Stop) }),
		singleKey("plateau.max_seeds", "The most seeds per rank, those of the grid among them, that stop: certified and sweep confirm "+
			"may train: the next "+
			"integers after the largest seed. Default: twice the seeds.", countCodec(1),
			func(g *Grid) *int { return &g.rule.MaxSeeds }).optional("0"),
		noiseSD,
		singleKey("limits.memory", "The most memory a trial may need, such as 8GiB. A trial predicted to need more ends before its first "+
			"step. Default: no limit.",
			sizeCodec(), func(g *Grid) *int64 { return &g.limits.Memory }).optional("0B"),
		singleKey("limits.time", "The most time the sweep may take, such as 2h. Default: no limit.", durationCodec(),
			func(g *Grid) *time.Duration { return &g.limits.Time }).optional("0s"),
		singleKey("limits.trial_time", "The most time a trial may take, such as 20m. Default: no limit.", durationCodec(),
			func(g *Grid) *time.Duration { return &g.limits.TrialTime }).optional("0s"),
		singleKey("limits.tokens", "The most supervised tokens that the sweep may train on, all its trials together; those that other sweeps "+
			"trained are free. Default: no limit.", wholeCodec(1, maxWhole),
			func(g *Grid) *int64 { return &g.limits.Tokens }).optional("0"),
		singleKey("limits.disk", "The most that the root (caches, checkpoints, adapters, database) may take on disk, such as 50GiB. A trial "+
			"that may take it beyond that waits until there is room. Default: no limit.",
			sizeCodec(), func(g *Grid) *int64 { return &g.limits.Disk }).optional("0B"),
	}
}
