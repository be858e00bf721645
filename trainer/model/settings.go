package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// checkSettings refuses what changes a computation in transformers for every architecture, and in none of this package. What an
// architecture alone reads, its parse checks; what transformers does not read either is ignored.
func checkSettings(all map[string]json.RawMessage) error {
	for _, key := range slices.Sorted(maps.Keys(refusedSettings())) {
		text, there := all[key]
		if r := refusedSettings()[key]; there && r.bad(text) {
			return fmt.Errorf("%s is %.40s: %s, which is not supported", key, text, r.why)
		}
	}
	return nil
}

type refusedSetting struct {
	bad func(text json.RawMessage) bool
	why string
}

func refusedSettings() map[string]refusedSetting {
	no := func(text json.RawMessage) bool { return string(text) == "false" }
	return map[string]refusedSetting{
		"is_causal":           {no, "tokens then see the tokens after them"},
		"is_encoder_decoder":  {says, "it has an encoder beside its decoder"},
		"add_cross_attention": {says, "it attends to an encoder"},
		"per_layer_config":    {says, "its layers differ from one another"},
	}
}

// says reports whether a setting says anything: neither null, false, 0, nor empty.
func says(text json.RawMessage) bool {
	return !slices.Contains([]string{"", "null", "false", "0", "0.0", `""`, "{}", "[]"}, string(bytes.TrimSpace(text)))
}
