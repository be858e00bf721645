package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// WriteTokenizer learns a tokenizer from what data.train could name and writes it to dir, which it makes.
func WriteTokenizer(ctx context.Context, dir string, names []string, vocabulary int) error {
	body, err := tokenizer.Train(records.Texts(ctx, names), vocabulary)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("write tokenizer: %w", err)
	}
	if err := writeFile(dir, "tokenizer.json", body); err != nil {
		return err
	}
	return writeJSON(dir, "tokenizer_config.json", map[string]any{
		"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": false,
		"bos_token": tokenizer.EndOfText, "eos_token": tokenizer.EndOfText, "unk_token": tokenizer.EndOfText,
	})
}

// WriteModel writes config.json and model.safetensors (float16) to dir, beside the tokenizer, as save_pretrained of
// transformers' GPT2LMHeadModel does.
func WriteModel(dir string, c model.Config, tensors map[string]weights.Array) error {
	noDropout := json.RawMessage("0.0") // a float also for readers that tell 0 from 0.0
	config := map[string]any{
		"model_type": "gpt2", "architectures": []string{"GPT2LMHeadModel"}, "dtype": "float16",
		"vocab_size": c.VocabSize, "n_positions": c.Positions, "n_embd": c.Embed, "n_layer": c.Layers, "n_head": c.Heads, "n_inner": c.Inner,
		"activation_function": c.Activation, "layer_norm_epsilon": c.Epsilon, "tie_word_embeddings": c.TieHead,
		"scale_attn_weights": c.ScaleScores, "scale_attn_by_inverse_layer_idx": c.ScaleByLayer,
		"attn_pdrop": noDropout, "embd_pdrop": noDropout, "resid_pdrop": noDropout, "initializer_range": 0.02,
	}
	tok, err := tokenizer.Load(os.DirFS(dir))
	switch {
	case err == nil:
		if id, ok := tok.EOS(); ok {
			config["bos_token_id"], config["eos_token_id"] = id, id
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write model: %w", err)
	}
	if err := weights.WriteFile(filepath.Join(dir, "model.safetensors"), tensors, weights.F16, map[string]string{"format": "pt"}); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	return writeJSON(dir, "config.json", config)
}

func writeJSON(dir, name string, v any) error {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return writeFile(dir, name, append(body, '\n'))
}

func writeFile(dir, name string, body []byte) error {
	return trial.WriteAtomic(filepath.Join(dir, name), func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}
