package sweep

import (
	"regexp"
	"strconv"
)

// layerOf splits a name into its layer's number and what follows it.
var layerOf = regexp.MustCompile(`^.*?\.(\d+)\.(.*)$`)

// Kind is the module's name within its layer, which every layer shares: attn.c_attn for transformer.h.3.attn.c_attn. A module
// outside the layers is its own kind.
func (m Module) Kind() string {
	if found := layerOf.FindStringSubmatch(m.Name); found != nil {
		return found[2]
	}
	return m.Name
}

// Layer is the number of the module's layer, or -1 outside the layers.
func (m Module) Layer() int {
	found := layerOf.FindStringSubmatch(m.Name)
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return -1
	}
	return n
}
