package lora

import "regexp"

// Module is one linear layer of a base model: y [.., Out] = x [.., In] · W + bias. Or it is an embedding, with In entries.
type Module struct {
	Name      string `json:"name"` // PEFT's name, e.g. transformer.h.0.attn.c_attn
	In        int    `json:"in"`
	Out       int    `json:"out"`
	Head      bool   `json:"head,omitempty"`      // the output head, which "all-linear" leaves out
	Embedding bool   `json:"embedding,omitempty"` // so does it embeddings
	Conv1D    bool   `json:"conv1d,omitempty"`    // W is stored [In, Out], as GPT-2's; PEFT's fan_in_fan_out
}

// layerPattern finds a layer's number in a module's name: the first part that is a number, has two parts before it and one after
// (peft/tuners/tuners_utils.py, check_target_module_exists, 0.21).
var layerPattern = regexp.MustCompile(`\A.*?\.[^.]*\.(?P<idx>\d+)\.`)

// Kind is the module's name within its layer, which every layer shares: attn.c_attn for transformer.h.3.attn.c_attn. A module
// outside the layers is its own kind.
func (m Module) Kind() string {
	if at := layerPattern.FindStringIndex(m.Name); at != nil {
		return m.Name[at[1]:]
	}
	return m.Name
}

// Layer is the number of the module's layer, or -1 outside the layers.
func (m Module) Layer() int {
	n, ok := layerIn(m.Name, []*regexp.Regexp{layerPattern})
	if !ok {
		return -1
	}
	return n
}
