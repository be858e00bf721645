package weights_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// one is the file of a rank-1 adapter on a module m of one input and one output.
func one() []byte {
	return file(`{"base_model.model.m.lora_A.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},`+
		`"base_model.model.m.lora_B.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}`, make([]byte, 8))
}

func writeFolder(t *testing.T, config, tensors []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string][]byte{"adapter_config.json": config, "adapter_model.safetensors": tensors} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// FuzzAdapter: whatever a folder holds, reading it ends with an adapter that can be written and read again, or with an error that
// a person can fix.
func FuzzAdapter(f *testing.F) {
	config := `{"peft_type":"LORA","r":1,"lora_alpha":2,"target_modules":["m"]`
	for _, more := range []string{
		``, `,"rank_pattern":{"m":1},"alpha_pattern":{"(m|n)":3.5}`, `,"use_dora":true`, `,"bias":"all","modules_to_save":["n"]`,
		`,"layers_to_transform":3,"layers_pattern":"h"`, `,"exclude_modules":"x.*"`, `,"init_lora_weights":"pissa"`, `,"new_setting":[{}]`,
	} {
		f.Add([]byte(config+more+"}"), one())
	}
	f.Add([]byte(`{"r":1e9}`), one()[:20])
	f.Add([]byte(strings.Repeat("[", 1000)), []byte{})
	f.Add([]byte(config+"}"), []byte(lfsPointer))
	f.Fuzz(func(t *testing.T, config, tensors []byte) {
		a, err := weights.ReadAdapter(writeFolder(t, config, tensors))
		if err != nil {
			if !errors.Is(err, weights.ErrFormat) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, trial.ErrInput) {
				t.Fatalf("ReadAdapter = %v, want ErrFormat", err)
			}
			return
		}
		dir := filepath.Join(t.TempDir(), "again")
		if err := weights.WriteAdapter(dir, a); err != nil {
			t.Fatal(err)
		}
		again, err := weights.ReadAdapter(dir)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(a.Spec(), again.Spec()); diff != "" {
			t.Fatalf("-read +written and read\n%s", diff)
		}
	})
}

func TestReadAdapterHostile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ more, want string }{
		"absurd rank":         {`,"r":1000000000000`, "do not have rank 1000000000000"},
		"negative rank":       {`,"r":-1`, "r is -1"},
		"rank of another":     {`,"rank_pattern":{"m":2}`, "do not have rank 2"},
		"broken pattern":      {`,"alpha_pattern":{"(":2}`, "alpha_pattern: ( is not a regular expression"},
		"huge pattern":        {`,"rank_pattern":{"` + strings.Repeat("a", 5000) + `":1}`, "a pattern of 5000 bytes"},
		"exponential pattern": {`,"rank_pattern":{"((a{1000}){1000}){1000}":1}`, "is not a regular expression"},
		"impossible value":    {`,"alpha_pattern":{"m":-3}`, "-3 is no possible value"},
		"deep nest":           {`,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "exceeded max depth"},
		"unknown setting":     {`,"use_magic":true`, "sets use_magic, which is not supported"},
		"known, unsupported":  {`,"trainable_token_indices":[1]`, "sets trainable_token_indices, which is not supported"},
		"changes the base":    {`,"init_lora_weights":"pissa_niter_4"`, "path_initial_model_for_weight_conversion"},
		"DoRA without length": {`,"use_dora":true`, "use_dora is true, and a magnitude vector is there: false"},
		"impossible bias":     {`,"bias":"some"`, "want none, lora_only or all"},
		"too large":           {`,"x":"` + strings.Repeat("a", 9<<20) + `"`, "has more than the 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := `{"peft_type":"LORA","r":1,"lora_alpha":2,"target_modules":["m"]` + tt.more + "}"
			_, err := weights.ReadAdapter(writeFolder(t, []byte(config), one()))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, weights.ErrFormat) && !errors.Is(err, trial.ErrInput) {
				t.Errorf("ReadAdapter = %.300v, want ErrFormat or ErrInput with %q", err, tt.want)
			}
		})
	}
	if _, err := weights.ReadAdapter(writeFolder(t, []byte(`{"peft_type":"LORA","r":1,"lora_alpha":2,"new_default":null}`),
		one())); err != nil {
		t.Errorf("a setting that says nothing is refused: %v", err)
	}
}
