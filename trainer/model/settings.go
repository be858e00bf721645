package model

import (
	"encoding/json"
	"errors"
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
	if says(all["rope_scaling"]) && says(all["rope_parameters"]) {
		return errors.New("rope_scaling and rope_parameters are both given; transformers uses rope_scaling: remove the other")
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
	return !slices.Contains([]string{"", "null", "false", "0", "0.0", `""`, "{}", "[]"}, string(text))
}

// plainRope refuses rope_parameters for each kind of layer, which an architecture with one kind of layer cannot follow.
func plainRope(text json.RawMessage) error {
	var kinds map[string]json.RawMessage
	if json.Unmarshal(text, &kinds) != nil {
		return nil //nolint:nilerr // whoever reads it says what is wrong
	}
	for _, key := range slices.Sorted(maps.Keys(kinds)) {
		if len(kinds[key]) > 0 && kinds[key][0] == '{' {
			return fmt.Errorf("rope_parameters has settings for %s alone, which is not supported", key)
		}
	}
	return nil
}
