package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// architecture is all that differs between model families. Each is a value in a file of its own and one row of
// architectures; everything else in this package follows what it says.
type architecture struct {
	// parse reads a config.json of this architecture. What is absent has transformers' default.
	parse func(text []byte) (Config, error)
	// pieces lists the model's parts in torch's order: embeddings first, output head last.
	pieces func(c Config) []piece
	// prefix is what the names of all parts but the head begin with, and what some files leave out: "transformer.".
	prefix string
	// buffers are the ends of names of tensors that files may hold and that carry no weights.
	buffers []string
	// stored are the names that files have for canonical ones, where they differ; nil for none.
	stored map[string]string
	// tokens and finalNorm name the token embedding and the norm after the last block.
	tokens, finalNorm string
	// begin returns the embedded tokens, [B*T, C].
	begin func(m trunk, in places) *Node
	// block is layer i: x [B*T, C] -> [B*T, C].
	block func(m trunk, x *Node, i int, in places) *Node
	// end turns the last block's output into the hidden states; nil means that the final norm alone does.
	end func(m trunk, x *Node) *Node
	// normOffset is added to the weights of norms.
	normOffset float64
	// norm normalises the last axis of x.
	norm func(m trunk, x *Node, module string) *Node
}

// architectures is the table of what can be trained, by model_type.
func architectures() map[string]architecture {
	return map[string]architecture{
		"gemma2":      gemma2(),
		"gemma3_text": gemma3(),
		"gpt2":        gpt2(),
		"gpt_neox":    gptNeoX(),
		"granite":     granite(),
		"llama":       llama(),
		"mistral":     mistral(),
		"olmo2":       olmo2(),
		"opt":         opt(),
		"phi3":        phi3(),
		"qwen2":       qwen2(),
		"qwen3":       qwen3(),
		"smollm3":     smollm3(),
	}
}

// Architectures lists the values of model_type that can be trained.
func Architectures() []string { return slices.Sorted(maps.Keys(architectures())) }

func (c Config) arch() architecture { return architectures()[c.Architecture] }

func checkArchitecture(name string) error {
	if slices.Contains(Architectures(), name) {
		return nil
	}
	if name == "gemma3" {
		return errors.New(`model_type is "gemma3", which reads images, too; only its text part can be trained: in Python, from ` +
			"m = Gemma3ForConditionalGeneration.from_pretrained(MODEL) and t = Gemma3ForCausalLM(m.config.text_config), set " +
			"t.model = m.model.language_model and t.lm_head = m.lm_head, and t.save_pretrained(FOLDER)")
	}
	return fmt.Errorf("model_type is %q, which cannot be trained; those that can are %s", name, strings.Join(Architectures(), ", "))
}
