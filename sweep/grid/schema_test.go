package grid_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ranksweep/ranksweep/sweep/grid"
)

// compileSchema compiles the grid's schema, which checks it against the meta-schema.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	body, err := json.Marshal(grid.Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("grid.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("grid.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// yamlAsJSON reads YAML as an editor does before it asks the schema; .inf is no JSON.
func yamlAsJSON(text []byte) (any, error) {
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	body, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(body))
}

func TestSchemaAcceptsWhatTheParserAccepts(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	paths := []string{"../../experiments/quickstart.yaml", "../../experiments/quickstart-go.yaml", "../../experiments/sizes.yaml"}
	good, err := filepath.Glob("testdata/grids/*.yaml")
	if err != nil || len(good) == 0 {
		t.Fatalf("no good grids: %v", err)
	}
	for _, path := range slices.Concat(paths, good) {
		readGrid(t, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		document, err := yamlAsJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("the schema refuses %s: %v", path, err)
		}
	}
}

// The schema refuses every bad grid that is YAML, but for what JSON Schema cannot see: order, other keys, the file's text.
func TestSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	t.Parallel()
	onlyParser := []string{
		"alpha_missing", "alpha_missing_open", "rank_descending", "rank_to_below_from", "warmup", "too_many_ladders", "too_many_trials",
		"targets_pattern", "targets_unclosed", // patterns that do not compile
		"rank_hex", "rank_octal", "rank_underscore", "rank_fraction", // numbers to other YAML readers
		"two_documents", "control", "tab", "tag", // how it is written
		"limits_units", "min_gain_percent", // numbers inside text
		"block_text",                                                                                          // text all the same
		"screen_rules", "scout_rules", "full_as_adapter", "full_rate_without_full", "quantised", "dtype_auto", // keys that exclude each other
	}
	schema := compileSchema(t)
	paths, err := filepath.Glob("testdata/grids/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		document, err := yamlAsJSON(text)
		if err != nil || slices.Contains(onlyParser, name) {
			continue
		}
		if schema.Validate(document) == nil {
			t.Errorf("the schema accepts %s", path)
		}
	}
}

// Every key has a description, and the ones that may be missing say their default in one way or the other.
func TestSchemaDescribesEveryKey(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(grid.Schema())
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Description string            `json:"description"`
		Default     json.RawMessage   `json:"default"`
		Required    []string          `json:"required"`
		Properties  map[string]object `json:"properties"`
	}
	var root object
	if err := json.Unmarshal(body, &root); err != nil {
		t.Fatal(err)
	}
	for section, s := range root.Properties {
		for name, key := range s.Properties {
			if key.Description == "" {
				t.Errorf("%s.%s has no description", section, name)
			}
		}
	}
	for path, want := range map[string]string{
		"lora.alpha": "8", "lora.dropout": "0", "train.learning_rate": "5e-05", "train.lr_scheduler_type": `"linear"`, "train.max_grad_norm": "1",
		"data.shuffle": "true", "plateau.min_gain": `"0.5%"`, "plateau.confidence": "0.95", "plateau.stop": `"likely"`, "train.eval_steps": "",
	} {
		section, name, _ := strings.Cut(path, ".")
		if got := string(root.Properties[section].Properties[name].Default); got != want {
			t.Errorf("default of %s = %s, want %s", path, got, want)
		}
	}
	if got := string(root.Properties["seeds"].Default); got != "[0,1,2]" {
		t.Errorf("default of seeds = %s", got)
	}
}
