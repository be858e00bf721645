package tokenizer

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights/weightstest"
)

// TestGGUFPreTokenizers: what tokenizer.ggml.pre names splits as Hugging Face's tokenizers split by the same patterns;
// testdata/ggufpre/golden.py makes the file.
func TestGGUFPreTokenizers(t *testing.T) {
	t.Parallel()
	var golden struct {
		Texts []string `json:"texts"`
		Cases map[string][]struct {
			Pieces []string `json:"pieces"`
			IDs    []int32  `json:"ids"`
		} `json:"cases"`
	}
	readZipped(t, "testdata/ggufpre/golden.json.gz", &golden)
	if len(golden.Cases) != 7 || len(golden.Texts) != 221 {
		t.Fatalf("%d pre-tokenizers and %d texts: the file is not whole", len(golden.Cases), len(golden.Texts))
	}
	for pre, tests := range golden.Cases {
		t.Run(pre, func(t *testing.T) {
			t.Parallel()
			metadata := ggufOf(t, "gpt2")
			metadata["tokenizer.ggml.pre"], metadata["tokenizer.ggml.token_type"] = pre, nil
			delete(metadata, "tokenizer.ggml.token_type")
			tok, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tests {
				text := golden.Texts[i]
				if got := spelledPieces(tok, text); !slices.Equal(got, want.Pieces) {
					t.Errorf("pieces of %q = %q, want %q", text, got, want.Pieces)
				}
				if got := tok.Encode(text); !slices.Equal(got, want.IDs) {
					t.Errorf("Encode(%q) = %v, want %v", text, got, want.IDs)
				}
			}
		})
	}
}

func readZipped(t testing.TB, name string, into any) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(unzipped).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// TestGGUFBeginning: which tokenizers begin every text with BOS where the file does not say (llama.cpp, add_bos).
func TestGGUFBeginning(t *testing.T) {
	t.Parallel()
	for pre, want := range map[string]bool{"llama-bpe": true, "tekken": true, "deepseek-llm": false, "dbrx": false, "gpt-2": false} {
		metadata := ggufOf(t, "gpt2")
		metadata["tokenizer.ggml.pre"] = pre
		tok, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(tok.EncodeSpecial("")) == 1; got != want {
			t.Errorf("%s: begins with BOS: %v, want %v", pre, got, want)
		}
	}
}

// TestGGUFWithoutMerges: without its merges a BPE would cut text into characters.
func TestGGUFWithoutMerges(t *testing.T) {
	t.Parallel()
	metadata := ggufOf(t, "qwen2")
	metadata["tokenizer.ggml.pre"] = "qwen2"
	for _, merges := range []any{nil, []string{}} {
		if metadata["tokenizer.ggml.merges"] = merges; merges == nil {
			delete(metadata, "tokenizer.ggml.merges")
		}
		_, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "cannot find tokenizer merges (tokenizer.ggml.merges)") {
			t.Errorf("Load = %v, want an input error about the merges", err)
		}
	}
}
