package grid

import (
	"fmt"
	"slices"
	"strings"
)

// unknownKey says what is wrong with a key that is none, and what to write instead.
func unknownKey(path string) string {
	if slices.Contains(laterKeys(), path) {
		return path + " is not supported yet; remove it"
	}
	section, name := splitPath(path)
	names := keysOf(section)
	if meant, ok := meantKey(section, name, names); ok {
		return fmt.Sprintf("unknown key %s; did you mean %s?", path, meant)
	}
	if section == "" {
		return fmt.Sprintf("unknown key %s; a grid has %s", path, strings.Join(names, ", "))
	}
	return fmt.Sprintf("unknown key %s; %s has %s", path, section, strings.Join(names, ", "))
}

// meantKey guesses the key that was meant: the same thing by its name elsewhere, a typing error, or a key of another
// section.
func meantKey(section, name string, names []string) (string, bool) {
	other, renamed := otherNames()[name]
	if !renamed {
		if best, ok := Nearest(name, names); ok {
			return best, true
		}
		other = name
	}
	for _, k := range gridKeys() {
		home, leaf := splitPath(k.path)
		if leaf != other {
			continue
		}
		if home == section {
			return leaf, true
		}
		return leaf + placeOf(home), true
	}
	return "", false
}

func placeOf(section string) string {
	if section == "" {
		return " at the top of the grid"
	}
	return " under " + section
}

// splitPath splits lora.rank into lora and rank, and model into "" and model.
func splitPath(path string) (section, name string) {
	section, name, nested := strings.Cut(path, ".")
	if !nested {
		return "", section
	}
	return section, name
}

// laterKeys are keys of PEFT and of coming versions that this version cannot honour. Ignoring one would train something
// else than what was asked for.
func laterKeys() []string {
	return []string{
		"retain",
		"lora.lora_bias", "lora.fan_in_fan_out", "lora.use_qalora", "lora.use_bdlora", "lora.alora_invocation_tokens",
		"lora.target_parameters", "lora.trainable_token_indices", "lora.loftq_config", "lora.eva_config",
		"lora.corda_config", "lora.megatron_config", "lora.layer_replication", "lora.ensure_weight_tying",
		"train.optim", "train.adam_beta1", "train.adam_beta2",
		"train.adam_epsilon", "train.gradient_checkpointing", "train.label_smoothing_factor",
	}
}

// otherNames maps names that people know from elsewhere to the key that means the same here.
func otherNames() map[string]string {
	return map[string]string{
		"r": "rank", "ranks": "rank", "lora_r": "rank", "lora_rank": "rank",
		"lora_alpha": "alpha", "lora_dropout": "dropout", "rslora": "use_rslora",
		"init_lora_weights": "init", "dora": "use_dora", "lora_plus_ratio": "loraplus_lr_ratio", "base_model": "model",
		"base_model_name_or_path": "model", "model_name_or_path": "model",
		"max_steps": "steps", "num_steps": "steps", "epochs": "num_train_epochs", "num_epochs": "num_train_epochs",
		"per_device_train_batch_size": "batch_size",
		"lr":                          "learning_rate", "lr_scheduler": "lr_scheduler_type", "scheduler": "lr_scheduler_type",
		"warmup": "warmup_steps", "wd": "weight_decay", "max_norm": "max_grad_norm", "clip": "max_grad_norm",
		"max_length": "sequence_length", "max_seq_length": "sequence_length", "seq_length": "sequence_length",
		"load_in_4bit": "dtype", "load_in_8bit": "dtype", "quantization": "dtype", "bnb_4bit_quant_type": "dtype",
		"bnb_4bit_compute_dtype": "compute_dtype", "torch_dtype": "dtype",
		"block_size": "sequence_length", "min_delta": "min_gain", "seed": "seeds",
	}
}

// Nearest returns the candidate that is a typing error away from name.
func Nearest(name string, candidates []string) (string, bool) {
	best, distance := "", min(maxLevenshtein, (len(name)+1)/2)+1
	for _, c := range candidates {
		if d := levenshtein(name, c); d < distance {
			best, distance = c, d
		}
	}
	return best, best != ""
}

// levenshtein counts the insertions, deletions and replacements of bytes between a and b.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
