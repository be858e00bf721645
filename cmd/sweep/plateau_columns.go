package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// lossColumns are the places of what a table of losses says; -1 for none.
type lossColumns struct{ rank, seed, value, train, step, run, state int }

// findColumns reads a table's header. value is the name that the user gave, or empty.
func findColumns(header []string, value string) (lossColumns, error) {
	for i, name := range header {
		if strings.TrimSpace(name) != "" && slices.ContainsFunc(header[:i], func(o string) bool { return bare(o) == bare(name) }) {
			return lossColumns{}, fmt.Errorf("column %s appears twice", bare(name))
		}
	}
	var c lossColumns
	var errs [3]error
	c.rank, errs[0] = oneColumn(header, "rank", "r", "lora_r", "lora_rank", "lora_dim", "peft_r", "peft_config_r")
	c.seed, errs[1] = oneColumn(header, "seed", "random_seed", "train_seed")
	if value != "" {
		if c.value, errs[2] = oneColumn(header, bare(value), plain(value)); c.value < 0 && errs[2] == nil {
			errs[2] = fmt.Errorf("no column %s: the columns are %s", value, shortened(strings.Join(header, ", ")))
		}
	} else if c.value, errs[2] = oneColumn(header, "val_loss", "eval_loss", "validation_loss", "valid_loss", "dev_loss"); errs[2] != nil {
		errs[2] = fmt.Errorf("%w, or choose with --column", errs[2])
	}
	if err := errors.Join(errs[:]...); err != nil {
		return c, err
	}
	if c.rank < 0 || c.value < 0 {
		return c, c.missing(header)
	}
	if c.value == c.rank || c.value == c.seed {
		return c, fmt.Errorf("column %s says what the runs are, not what came of them", bare(header[c.value]))
	}
	c.train = anyColumn(header, "train_loss", "training_loss")
	c.step = anyColumn(header, "step", "global_step", "train_global_step", "trainer_global_step", "iteration", "epoch", "train_epoch")
	c.run = anyColumn(header, "run", "run_name", "run_id", "name", "id")
	c.state = anyColumn(header, "state")
	return c, nil
}

// missing says what a header lacks.
func (c lossColumns) missing(header []string) error {
	name, hint := "rank", ""
	if c.rank >= 0 {
		name, hint = "val_loss", "; --column takes the values from another column"
	} else if slices.ContainsFunc(header, func(s string) bool { return strings.Contains(s, " - ") }) {
		hint = "; a chart that W&B exports does not say the rank of a run: export the table of runs, with lora_r, seed and eval/loss"
	}
	return fmt.Errorf("no column %s: the first line must name the columns rank and val_loss, and seed where a rank has several values; "+
		"it says %q%s", name, shortened(strings.Join(header, ",")), hint)
}

// shortened cuts a header of hundreds of settings.
func shortened(text string) string {
	const most = 300
	if cut := []rune(text); len(cut) > most {
		return string(cut[:most]) + "…"
	}
	return text
}

// oneColumn finds the column that has the name itself, or else the one that has it or an alias in another spelling; -1 if none has.
func oneColumn(header []string, name string, aliases ...string) (int, error) {
	if i := slices.IndexFunc(header, func(s string) bool { return bare(s) == name }); i >= 0 {
		return i, nil
	}
	found := -1
	for i, s := range header {
		if !slices.Contains(append(aliases, name), plain(s)) {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("columns %s and %s both may be %s: leave one out", bare(header[found]), bare(s), name)
		}
		found = i
	}
	return found, nil
}

// anyColumn finds the column of the first of the names that one has in some spelling, or -1.
func anyColumn(header []string, names ...string) int {
	for _, name := range names {
		if i := slices.IndexFunc(header, func(s string) bool { return plain(s) == name }); i >= 0 {
			return i
		}
	}
	return -1
}

// bare is a column's name as people see it.
func bare(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// plain is a column's name in one spelling: eval/loss, Eval Loss and summary.eval_loss are eval_loss.
func plain(name string) string {
	words := strings.FieldsFunc(bare(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 1 && slices.Contains([]string{"config", "summary", "hparams", "params"}, words[0]) {
		words = words[1:]
	}
	return strings.Join(words, "_")
}

// better tells from the name of a column whether higher values are better; not certain where the name does not say.
func better(name string) (higher, certain bool) {
	has := func(words ...string) bool {
		return slices.ContainsFunc(strings.Split(plain(name), "_"), func(w string) bool {
			return slices.Contains(words, strings.TrimRight(w, "0123456789"))
		})
	}
	higher = has("accuracy", "acc", "rouge", "rougel", "rougelsum", "bleu", "sacrebleu") ||
		slices.Contains(strings.Split(plain(name), "_"), "f1") || strings.HasSuffix(plain(name), "exact_match")
	lower := has("loss", "perplexity", "ppl")
	return higher, higher != lower
}
