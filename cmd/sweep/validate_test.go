package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	path := s.path("grid.yaml")
	code, stdout, stderr := sweepCommand(t, "validate", path)
	want := path + ": ok\nsweep test: 1 ladder, 3 rungs, 2 seeds: at most 6 trials\n"
	if code != exitOK || stdout != want || stderr != "data.train: token ids (input_ids)\ndata.validation: token ids (input_ids)\n" {
		t.Errorf("exit %d, stderr %q, stdout\n%s\nwant\n%s", code, stderr, stdout, want)
	}
}

// What only the model's configuration shows is found before anything is trained.
func TestValidateAgainstTheModel(t *testing.T) {
	t.Parallel()
	adapter, err := filepath.Abs("../../trainer/weights/testdata/gpt2-bias-lora-only")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, text, want string }{
		{"rank above the width", "[1, 2, 4]", "[1, 2, 4096]", "lora.rank: 4096 is above"},
		{"no such module", "[c_attn, c_proj]", "[q_proj]", "target_modules [q_proj] match no module of the model, which has attn.c_attn,"},
		{"nothing kept", "train: train.jsonl", "train: train.jsonl, fraction: 1e-9", "data.fraction 1e-09 keeps no training document of "},
		{"no such data", "train: train.jsonl", "train: [trian.jsonl, \"*.txt\"]", "trian.jsonl"},
		{"nothing for a glob", "train: train.jsonl", "train: [trian.jsonl, \"*.txt\"]", "*.txt matches no file"},
		{"no such model", "model: ", "model: ./none", "grid.yaml:3:1: invalid input: no such model: "},
		{"no tokenizer for text", "validation: validation.jsonl", "validation: builtin:go-doc", "grid.yaml:3:1: model "},
		{"no tokenizer: the fix", "validation: validation.jsonl", "validation: builtin:go-doc", "cannot read builtin:go-doc: invalid input: " +
			"the model has no tokenizer.json, which text needs: put it beside config.json, or give pre-tokenised rows (input_ids)"},
		{"no adapter to start from", "[c_attn, c_proj]", "[c_attn, c_proj], init_adapter: nowhere", "grid.yaml:5:83: lora.init_adapter "},
		{
			"no adapter: the fix", "[c_attn, c_proj]", "[c_attn, c_proj], init_adapter: nowhere",
			"name a folder that holds adapter_config.json and adapter_model.safetensors",
		},
		{"adapter without its place", "[c_attn, c_proj]", "[c_attn, c_proj], init_adapter: " + adapter, "the trial does not train its tensor"},
		{"sequence too long", "sequence_length: 16", "sequence_length: 4096", "data.sequence_length: 4096 is above the 128 positions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, "go", 10)
			text, err := os.ReadFile(s.path("grid.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), tt.old, tt.text, 1)
			if err := os.WriteFile(s.path("grid.yaml"), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := sweepCommand(t, "validate", s.path("grid.yaml"))
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
}

// TestModelErrorsHaveTheirPlace: whatever is wrong with a model is said where the grid names it, by validate and run alike; that
// the hub cannot be asked is no error of the grid.
func TestModelErrorsHaveTheirPlace(t *testing.T) {
	t.Setenv("HF_HUB_OFFLINE", "1")
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	for _, tt := range []struct {
		model, data, want string
		code              int
	}{
		{"owner/none", "validation.jsonl", "hub model not available: owner/none is not in the cache", exitError},
		{"./none", "validation.jsonl", "invalid input: no such model: ", exitUsage},
		{"./", "validation.jsonl", "it has no config.json", exitUsage},
		{"", "builtin:go-doc", "the model has no tokenizer.json", exitUsage},
	} {
		s := newTestSweep(t, "go", 10)
		text, err := os.ReadFile(s.path("grid.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), "validation.jsonl", tt.data, 1)
		if tt.model != "" {
			changed = regexp.MustCompile("model: .*").ReplaceAllLiteralString(changed, "model: "+tt.model)
		}
		if err := os.WriteFile(s.path("grid.yaml"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"validate"}, {"run", "--backend", "go", "--root", s.path("runs")}} {
			code, _, stderr := sweepCommand(t, append(args, s.path("grid.yaml"))...)
			if code != tt.code || !strings.Contains(stderr, s.path("grid.yaml")+":3:1: ") || !strings.Contains(stderr, tt.want) {
				t.Errorf("%s with model %q: exit %d, stderr %q; want exit %d and grid.yaml:3:1 with %q", args[0], tt.model, code,
					stderr, tt.code, tt.want)
			}
		}
	}
}

// TestValidateLooksAtWeights: a base or adapter that run would refuse is refused where the grid names it.
func TestValidateLooksAtWeights(t *testing.T) {
	t.Parallel()
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4096\n"
	bases, err := filepath.Abs("../../trainer/testdata/bases")
	if err != nil {
		t.Fatal(err)
	}
	base := func(edit func(dir string) error) string {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(bases, "untied"))); err != nil {
			t.Fatal(err)
		}
		if err := edit(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	replace := func(file, old, text string) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, file)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if old != "" {
				text = strings.Replace(string(b), old, text, 1)
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(text), 0o600)
		}
	}
	good := filepath.Join(bases, "untied")
	for _, tt := range []struct{ name, model, adapter, want string }{
		{"good", good, "", ""},
		{"good start", good, bases + "/untied+ensure-tying", ""},
		{"incomplete start", good, bases + "/untied+missing-layer", "warning: lora.init_adapter"},
		{"start with base weights", good, bases + "/untied+saved-embeddings", "grid.yaml:5:"},
		{"start of another model", good, bases + "/tied+lm-head", "grid.yaml:5:"},
		{"config is a pointer", base(replace("config.json", "", pointer)), "", "config.json is a Git LFS pointer"},
		{"weights are a pointer", base(replace("model.safetensors", "", pointer)), "", "model.safetensors is a Git LFS pointer"},
		{"another width", base(replace("config.json", `"intermediate_size": 24`, `"intermediate_size": 32`)), "", "shape [24 16], not [32 16]"},
		{"quantised", base(replace("config.json", "{", `{"quantization_config": {"quant_method": "gptq", "bits": 4},`)), "", "gptq, 4 bits"},
		{"experts", base(replace("config.json", "{", `{"num_local_experts": 8,`)), "", "is a mixture of experts (num_local_experts is 8)"},
		{
			"no weights", base(func(dir string) error { return os.Remove(filepath.Join(dir, "model.safetensors")) }), "",
			"neither model.safetensors",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, "go", 10)
			s.write("train.jsonl", `{"input_ids": [1, 2, 3, 63]}`) // a vocabulary of 64
			s.write("validation.jsonl", `{"input_ids": [1, 2, 3, 62]}`)
			text, err := os.ReadFile(s.path("grid.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			changed := regexp.MustCompile("model: .*").ReplaceAllLiteralString(string(text), "model: "+tt.model)
			targets := "[q_proj, v_proj]"
			if tt.adapter != "" {
				targets += ", init_adapter: " + tt.adapter
			}
			changed = strings.Replace(changed, "[c_attn, c_proj]", targets, 1)
			if err := os.WriteFile(s.path("grid.yaml"), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := sweepCommand(t, "validate", s.path("grid.yaml"))
			wantCode := exitUsage
			if tt.want == "" || strings.HasPrefix(tt.want, "warning") {
				wantCode = exitOK
			}
			place := tt.want
			if wantCode == exitUsage && tt.adapter == "" {
				place = "grid.yaml:3:1: "
			}
			if code != wantCode || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, place) {
				t.Errorf("exit %d, stderr %q; want exit %d with %q", code, stderr, wantCode, tt.want)
			}
		})
	}
}

func TestSchemaIsPrintedAsItIs(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := sweepCommand(t, "schema")
	var got struct {
		Schema     string                     `json:"$schema"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); code != exitOK || err != nil {
		t.Fatalf("exit %d: %v: %s", code, err, stderr)
	}
	if got.Schema != "https://json-schema.org/draft/2020-12/schema" || len(got.Properties) != 11 {
		t.Errorf("schema %s with %d properties, want 11", got.Schema, len(got.Properties))
	}
}

// TestValidateReadsData: what a run would refuse of the first rows is refused where the grid names the file.
func TestValidateReadsData(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ train, validation, place, want string }{
		"good": {"", "", "", "data.train: token ids (input_ids)"},
		"beyond the vocabulary": {
			`{"input_ids": [1, 2, 512]}`, "", "grid.yaml:4:8: of the first 20 rows of each file: ", "train.jsonl:1: id 512 at position 2",
		},
		"nothing scored": {
			"", `{"input_ids": [1, 2], "labels": [-100, -100]}`, "grid.yaml:4:28: ", "validation.jsonl:1: no supervised token",
		},
		"no tokenizer": {`{"text": "Anne"}`, "", "grid.yaml:", "tokenizer"},
		"preferences": {
			`{"prompt": "a", "chosen": "b", "rejected": "c"}`, "", "grid.yaml:4:8: ", "DPO",
		},
		"empty":         {" ", "", "grid.yaml:4:8: ", "data.train is empty"},
		"on both sides": {`{"input_ids": [1, 2, 3]}`, `{"input_ids": [1, 2, 3]}`, "", "1 of 1 validation rows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, "go", 10)
			for file, rows := range map[string]string{"train.jsonl": tt.train, "validation.jsonl": tt.validation} {
				if rows != "" {
					s.write(file, rows)
				}
			}
			code, _, stderr := sweepCommand(t, "validate", s.path("grid.yaml"))
			wantCode := exitOK
			if tt.place != "" {
				wantCode = exitUsage
			}
			if code != wantCode || !strings.Contains(stderr, tt.place) || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stderr %q; want exit %d, %q and %q", code, stderr, wantCode, tt.place, tt.want)
			}
		})
	}
}

// TestValidateReadsGridsOnly: a pipe is not waited for, and no more is read of what has no end than a grid may have.
func TestValidateReadsGridsOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, huge := filepath.Join(dir, "pipe.yaml"), filepath.Join(dir, "huge.yaml")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(huge, nil, 0o600), os.Truncate(huge, 1<<40)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe:        pipe + " is a pipe or a device: write what it gives to a file",
		"/dev/zero": "/dev/zero is a pipe or a device: write what it gives to a file",
		huge:        "the file has more than 65536 bytes",
	} {
		if code, _, stderr := sweepCommand(t, "validate", path); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("exit %d\n%s\nwant %q", code, stderr, want)
		}
	}
}
