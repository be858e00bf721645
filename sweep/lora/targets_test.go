package lora_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

func TestMatchTargets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		targets lora.Targets
		want    string // names without "transformer.h."
	}{
		{"suffix", lora.Targets{List: []string{"c_attn"}}, "0.attn.c_attn 1.attn.c_attn"},
		{"a suffix of two parts", lora.Targets{List: []string{"mlp.c_proj"}}, "0.mlp.c_proj 1.mlp.c_proj"},
		{"c_proj is in attention and MLP", lora.Targets{List: []string{"c_proj"}}, "0.attn.c_proj 0.mlp.c_proj 1.attn.c_proj 1.mlp.c_proj"},
		{"whole name", lora.Targets{List: []string{"transformer.h.1.mlp.c_fc"}}, "1.mlp.c_fc"},
		{"order is the model's", lora.Targets{List: []string{"c_fc", "c_attn"}}, "0.attn.c_attn 0.mlp.c_fc 1.attn.c_attn 1.mlp.c_fc"},
		{"one entry without a match", lora.Targets{List: []string{"q_proj", "c_attn"}}, "0.attn.c_attn 1.attn.c_attn"},
		{"output head by name", lora.Targets{List: []string{"lm_head"}}, "lm_head"},
		{"pattern", lora.Targets{Pattern: `.*\.1\.attn\..*`}, "1.attn.c_attn 1.attn.c_proj"},
		{"alternatives match in full", lora.Targets{Pattern: `transformer\.h\.0\.attn\.c_attn|lm_head`}, "0.attn.c_attn lm_head"},
		{
			"all-linear",
			lora.Targets{Pattern: "all-linear"},
			"0.attn.c_attn 0.attn.c_proj 0.mlp.c_fc 0.mlp.c_proj 1.attn.c_attn 1.attn.c_proj 1.mlp.c_fc 1.mlp.c_proj",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			matched, err := lora.MatchTargets(sweeptest.GPT2Modules(2, 8), tt.targets)
			if err != nil {
				t.Fatalf("MatchTargets(%s): %v", tt.targets, err)
			}
			var names []string
			for _, m := range matched {
				names = append(names, strings.TrimPrefix(m.Name, "transformer.h."))
			}
			if diff := cmp.Diff(tt.want, strings.Join(names, " ")); diff != "" {
				t.Errorf("MatchTargets(%s): -want +got\n%s", tt.targets, diff)
			}
		})
	}
}

func TestMatchTargetsErrors(t *testing.T) {
	t.Parallel()
	const kinds = ", which has attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj"
	for _, tt := range []struct {
		name    string
		targets lora.Targets
		want    string
	}{
		{"no such suffix", lora.Targets{List: []string{"q_proj", "v_proj"}}, "target_modules [q_proj, v_proj] match no module of the model" +
			kinds},
		{"the end of a word is no suffix", lora.Targets{List: []string{"attn"}}, "target_modules [attn] match no module of the model" + kinds},
		{"a pattern must match in full", lora.Targets{Pattern: "c_attn"}, "target_modules c_attn match no module of the model" + kinds +
			"; a text is a pattern for whole names, did you mean [c_attn]?"},
		{
			"not RE2",
			lora.Targets{Pattern: "(?=x)"},
			"target_modules (?=x) is not a regular expression in Go's RE2 syntax: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := lora.MatchTargets(sweeptest.GPT2Modules(2, 8), tt.targets)
			if err == nil || err.Error() != tt.want {
				t.Errorf("MatchTargets(%s) = %v, want %s", tt.targets, err, tt.want)
			}
		})
	}
}
