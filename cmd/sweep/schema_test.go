package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkSchema validates what a command printed, where it is JSON of ours, against the schema that it names. Unlike readers it lets no
// field pass that the schema lacks.
func checkSchema(t *testing.T, stdout []byte) {
	t.Helper()
	name, ok := bytes.CutPrefix(stdout, []byte("{\n  \"schema\": \"sweep."))
	if !ok {
		return
	}
	what, _, _ := bytes.Cut(name, []byte("/"))
	types, ok := outputTypes()[string(what)]
	if !ok {
		if string(what) != "thing" { // of the tests of emit
			t.Errorf("no schema of sweep.%s/v1", what)
		}
		return
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(stdout))
	if err != nil {
		t.Errorf("%s -o json: %v", what, err)
		return
	}
	if err := strictSchema(t, string(what), types).Validate(document); err != nil {
		t.Errorf("%s -o json does not fit its schema: %v\n%s", what, err, stdout)
	}
}

// strictSchemas are compiled once for all tests.
var strictSchemas sync.Map //nolint:gochecknoglobals // shared by the tests of one run

func strictSchema(t *testing.T, what string, types []reflect.Type) *jsonschema.Schema {
	t.Helper()
	if known, ok := strictSchemas.Load(what); ok {
		return known.(*jsonschema.Schema)
	}
	s, err := outputSchema(what, types)
	if err != nil {
		t.Fatal(err)
	}
	compiled := compile(t, closed(asJSON(t, s)))
	strictSchemas.Store(what, compiled)
	return compiled
}

func compile(t *testing.T, document any) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("output.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("output.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// closed lets the objects of a schema have no other fields.
func closed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["required"].([]any); ok {
			v["additionalProperties"] = false
		}
		for _, part := range v {
			closed(part)
		}
	case []any:
		for _, part := range v {
			closed(part)
		}
	}
	return v
}

// TestSchemaOfOutputs holds the schema of every output: what it lacks or changes breaks its readers.
func TestSchemaOfOutputs(t *testing.T) {
	t.Parallel()
	for what := range outputTypes() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, "schema", what)
			if code != exitOK || stderr != "" {
				t.Fatalf("schema %s = %d, said %q", what, code, stderr)
			}
			golden(t, filepath.Join("schema", what+".json"), stdout)
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(stdout))
			if err != nil {
				t.Fatal(err)
			}
			compile(t, document) // against the meta-schema
		})
	}
}

// TestSchemaOfEveryOutput: no command emits what has no schema, and no schema is of what none emits.
func TestSchemaOfEveryOutput(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	emitted := []string{"report", "notify"} // by sweep/report, and by --notify
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, call := range regexp.MustCompile(`\ba\.emit\("(\w+)"`).FindAllSubmatch(text, -1) {
			emitted = append(emitted, string(call[1]))
		}
	}
	slices.Sort(emitted)
	var known []string
	for what := range outputTypes() {
		known = append(known, what)
	}
	slices.Sort(known)
	if !slices.Equal(slices.Compact(emitted), known) {
		t.Errorf("commands emit %v, schemas are of %v", emitted, known)
	}
}

// TestSchemaUnknown: a name that no output has is told what was meant.
func TestSchemaUnknown(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := sweepCommand(t, "schema", "reprot")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, `no output "reprot"; did you mean report; there are backend, `) {
		t.Errorf("schema reprot = %d, %q, said %q", code, stdout, stderr)
	}
}

// TestSchemaFitsRealOutputs: what commands print of a sweep, a grid and a table is valid by their schemas (sweepCommand checks it, here
// and in every other test).
func TestSchemaFitsRealOutputs(t *testing.T) {
	t.Parallel()
	root, done, open := midwayRoot(t)
	losses := filepath.Join(t.TempDir(), "losses.csv")
	const table = "alpha,rank,seed,val_loss\n8,1,0,3.0\n8,1,1,3.1\n8,2,0,2.5\n8,2,1,2.6\n16,1,0,3.0\n16,1,1,3.1\n16,2,0,2.9\n16,2,1,3\n"
	if err := os.WriteFile(losses, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	one := filepath.Join(t.TempDir(), "one.csv")
	if err := os.WriteFile(one, []byte("rank,seed,val_loss\n1,0,3.0\n1,1,3.1\n2,0,2.5\n2,1,2.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	grid := newTestSweep(t, "go", 5).path("grid.yaml")
	for what, lines := range map[string][][]string{
		"list": {{"list"}}, "status": {{"status"}}, "report": {{"report"}}, "explain": {{"explain", "1"}}, "version": {{"version"}},
		"show":    {{"show", string(done.ID)}, {"show", string(open.ID)}},
		"metrics": {{"metrics", string(done.ID)}, {"metrics", string(open.ID)}},
		"logs":    {{"logs", string(done.ID)}},
		"plateau": {{"plateau", one}, {"plateau", losses}},
		"plan":    {{"plan", grid, "--no-calibrate"}},
		"targets": {{"plan", grid, "--targets"}},
		"data":    {{"data", grid}}, "validate": {{"validate", grid}},
		"doctor": {{"doctor"}}, "backends": {{"backend", "list"}}, "backend": {{"backend", "list", "--resolve"}},
		"eval": {{"eval", "--model", "../../trainer/model/testdata/tiny-gpt2", "--data", filepath.Join(filepath.Dir(grid), "validation.jsonl")}},
	} {
		for _, line := range lines {
			code, stdout, stderr := sweepCommand(t, append(line, "-o", "json", "--root", root, "--backend", "go")...)
			if code != exitOK || !strings.HasPrefix(stdout, `{`+"\n"+`  "schema": "`+schemaName(what)+`"`) {
				t.Errorf("%q = %d, said %q:\n%s", line, code, stderr, stdout)
			}
		}
	}
}

// TestSchemaRefuses: a schema that let everything pass would show nothing.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	good := versionView{Version: "1", Go: "go1", Platform: "a/b"}
	for name, test := range map[string]struct {
		change func(document map[string]any)
		fits   bool
	}{
		"as it is":        {func(map[string]any) {}, true},
		"another schema":  {func(d map[string]any) { d["schema"] = "sweep.report/v1" }, false},
		"a missing field": {func(d map[string]any) { delete(d, "go") }, false},
		"another type":    {func(d map[string]any) { d["go"] = 1 }, false},
		"null":            {func(d map[string]any) { d["go"] = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := envelope("version", good)
			if err != nil {
				t.Fatal(err)
			}
			var document map[string]any
			if err := json.Unmarshal(body, &document); err != nil {
				t.Fatal(err)
			}
			test.change(document)
			err = strictSchema(t, "version", outputTypes()["version"]).Validate(document)
			if (err == nil) != test.fits {
				t.Errorf("it fits: %v, want %v", err, test.fits)
			}
		})
	}
}

// TestSchemaEnumerates: fields with a fixed set of values name them, with what the sources say of the field.
func TestSchemaEnumerates(t *testing.T) {
	t.Parallel()
	for what, fields := range map[string]map[string]string{
		"report": {"report.Verdict.state": "likely_plateau", "report.Trial.state": "over_memory", "report.Rung.decision": "unresolved"},
		"status": {"trialStatus.state": "running without coordinator", "ladderStatus.state": "interrupted", "status.state": "finished"},
		"show":   {"trial.Outcome.state": "unstable"},
		"doctor": {"finding.state": "warning"},
	} {
		s, err := outputSchema(what, outputTypes()[what])
		if err != nil {
			t.Fatal(err)
		}
		defs := s["$defs"].(jsonSchema)
		defs[what] = s
		for field, value := range fields {
			owner, name := field[:strings.LastIndex(field, ".")], field[strings.LastIndex(field, ".")+1:]
			property := defs[owner].(jsonSchema)["properties"].(jsonSchema)[name].(jsonSchema)
			if either, ok := property["anyOf"].([]jsonSchema); ok {
				property = either[0]
			}
			if values, _ := property["enum"].([]string); !slices.Contains(values, value) {
				t.Errorf("%s: %s is one of %v, want %q among them", what, field, values, value)
			}
		}
	}
	s, err := outputSchema("report", outputTypes()["report"])
	if err != nil {
		t.Fatal(err)
	}
	loss := s["$defs"].(jsonSchema)["report.Recommendation"].(jsonSchema)["properties"].(jsonSchema)["val_loss"].(jsonSchema)
	if want := "mean over seeds, nats per token"; loss["description"] != want {
		t.Errorf("val_loss is described as %q, want %q", loss["description"], want)
	}
}
