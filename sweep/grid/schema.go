package grid

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// schemaObject is a JSON Schema, or a part of one.
type schemaObject map[string]any

// Schema returns the JSON Schema (draft 2020-12) of the grid file. It comes from the table that the parser works by; what
// only the parser can see (keys that need or exclude each other, the model's widths) is in the descriptions.
func Schema() map[string]any {
	standard := defaultGrid("")
	root := objectSchema("A grid of ranksweep: which LoRA ranks to train, on what, and when to stop.")
	for _, section := range sectionNames() {
		properties(root)[section] = objectSchema("")
	}
	for _, k := range gridKeys() {
		section, name := splitPath(k.path)
		parent := root
		if section != "" {
			parent = properties(root)[section].(schemaObject)
		}
		properties(parent)[name] = describeKey(k, &standard)
		if k.example != "" {
			require(root, section)
			require(parent, name)
		}
	}
	data := properties(root)["data"].(schemaObject)
	data["oneOf"] = []schemaObject{{"required": []string{"validation"}}, {"required": []string{"validation_split"}}}
	train := properties(root)["train"].(schemaObject)
	train["oneOf"] = []schemaObject{{"required": []string{"steps"}}, {"required": []string{"num_train_epochs"}}}
	train["not"] = schemaObject{"required": []string{"warmup_steps", "warmup_ratio"}}
	delete(train, "required")
	properties(root)["lora"].(schemaObject)["dependentRequired"] = map[string][]string{
		"layers_pattern": {"layers_to_transform"}, "loraplus_lr_embedding": {"loraplus_lr_ratio"},
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "ranksweep grid"
	return root
}

func objectSchema(description string) schemaObject {
	s := schemaObject{"type": "object", "properties": schemaObject{}, "additionalProperties": false}
	if description != "" {
		s["description"] = description
	}
	return s
}

func properties(s schemaObject) schemaObject { return s["properties"].(schemaObject) }

func require(s schemaObject, name string) {
	if name == "" {
		return
	}
	names, _ := s["required"].([]string)
	if !slices.Contains(names, name) {
		s["required"] = append(names, name)
	}
}

// describeKey adds description and default to what a key accepts.
func describeKey(k key, standard *Grid) schemaObject {
	s := schemaObject{"description": k.doc}
	maps.Copy(s, k.schema)
	if text := k.text(standard); text != "" && k.example == "" && k.path != "name" {
		s["default"] = defaultValue(text)
	}
	return s
}

// defaultValue turns a key's text into JSON: numbers, booleans and lists of them as they are, words as strings.
func defaultValue(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

func listOf(item schemaObject) schemaObject {
	return schemaObject{"type": "array", "items": item, "minItems": 1, "uniqueItems": true}
}

func oneOrMore(item schemaObject) schemaObject {
	return schemaObject{"anyOf": []schemaObject{item, listOf(item)}}
}

func rankSchema() schemaObject {
	rank := countCodec(1).schema
	span := objectSchema("")
	span["properties"] = schemaObject{"from": rank, "to": rank}
	span["required"] = []string{"from"}
	list := listOf(schemaObject{"anyOf": []schemaObject{rank, {"const": fullWord}}})
	list["contains"] = rank
	return schemaObject{"anyOf": []schemaObject{rank, list, span}}
}

func targetAxisSchema() schemaObject {
	one := targetsCodec().schema
	names := one["anyOf"].([]schemaObject)[1]
	return schemaObject{"anyOf": []schemaObject{one, listOf(schemaObject{"anyOf": []schemaObject{names, {"const": lora.AllLinear}}})}}
}

// nestedSchema accepts one item, a list of items, or a list of lists, which may be empty.
func nestedSchema(item schemaObject) schemaObject {
	inner := schemaObject{"type": "array", "items": item, "uniqueItems": true}
	return schemaObject{"anyOf": []schemaObject{item, listOf(item), listOf(inner)}}
}
