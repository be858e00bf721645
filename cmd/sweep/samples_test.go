package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// readSamples runs sweep samples -o json.
func (s *testSweep) readSamples(args ...string) report.Samples {
	s.t.Helper()
	cmd := s.sweep(append([]string{"samples", "--backend", s.platform, "-o", "json"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%v: %v", cmd.Args, err)
	}
	checkSchema(s.t, out)
	var got struct {
		Cell json.RawMessage `json:"cell"`
		report.Samples
	}
	if err := json.Unmarshal(out, &got); err != nil {
		s.t.Fatal(err)
	}
	return got.Samples
}

// refused runs sweep samples and wants it to fail.
func (s *testSweep) refused(code int, want string, args ...string) {
	s.t.Helper()
	got, stdout, stderr := sweepCommand(s.t, append([]string{"samples", "--backend", s.platform, "--root", s.path("runs")}, args...)...)
	if got != code || stdout != "" || !strings.Contains(stderr, want) {
		s.t.Errorf("samples %v = %d, want %d, said %s, want %q", args, got, code, stderr, want)
	}
}

// TestSamples: pre-tokenised rows without a prompt, of a model without a tokenizer.
func TestSamples(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 10)
	s.finish()
	snapshot, _ := s.snapshot()
	want := *report.Build(snapshot).Recommendation.Rank
	got := s.readSamples("-n", "2", "--max-new-tokens", "8")
	var names []string
	for _, w := range got.Writers {
		names = append(names, w.Title())
	}
	if strings.Join(names, ", ") != fmt.Sprintf("base, rank %d (recommended)", want) || len(got.Samples) != 2 {
		t.Fatalf("%d samples of %v, want 2 of base and the recommended rank %d", len(got.Samples), names, want)
	}
	for _, sample := range got.Samples {
		if len(strings.Fields(sample.Prompt)) != 8 || len(strings.Fields(*sample.Expected)) != 8 || sample.PromptTokens != 8 {
			t.Errorf("sample %+v, want the two halves of a row of 16 ids", sample)
		}
		if base, tuned := sample.Answers[0], sample.Answers[1]; base.Text == tuned.Text || base.Tokens != 8 || tuned.Tokens != 8 {
			t.Errorf("base wrote %+v and the adapter %+v, want 8 ids each, not the same", base, tuned)
		}
	}
	if all := s.readSamples("--rank", "all", "--rank", "2", "--seed", "1", "-n", "1", "--max-new-tokens", "1"); len(all.Writers) != 4 ||
		*all.Writers[2].Rank != 2 || *all.Writers[3].Seed != 1 {
		t.Errorf("--rank all --seed 1 has %+v", all.Writers)
	}
	s.refused(exitNotFound, "rank 3 is not in ladder 1 of sweep test; with a finished trial there are: 1, 2, 4", "--rank", "3")
	s.refused(exitNotFound, "rank 4 seed 1", "--seed", "7")
	s.refused(exitNotFound, "no full fine-tuning", "--rank", "full")
	s.refused(exitUsage, "a prompt needs the model's tokenizer", "--prompt", "Who?")
	dir := filepath.Join(s.path("runs", "trials"), string(got.Writers[1].Trial), "1", "adapter")
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	s.refused(exitNotFound, "is not in "+dir+" any more")
}

// TestSamplesOfPairs: rows whose prompts are scored too still have one, and the report shows the answers.
func TestSamplesOfPairs(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 2)
	rows := strings.Repeat(`{"prompt": "func main", "completion": "() {}"}`+"\n", 4)
	grid := "name: test\nmodel: builtin:gopher\n" +
		"data: {train: pairs.jsonl, validation: pairs.jsonl, sequence_length: 16, completion_only_loss: false}\n" +
		"lora: {rank: [1], alpha: 8, target_modules: [c_attn]}\ntrain: {steps: 2, batch_size: 2, learning_rate: 1e-3}\nseeds: [0]\n"
	for name, text := range map[string]string{"pairs.jsonl": rows, "grid.yaml": grid} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.finish()
	own := s.readSamples("--prompt", "func main", "--max-new-tokens", "2")
	if s := own.Samples[0]; s.Prompt != "func main" || s.Row != nil || s.Expected != nil || len(own.Samples) != 1 {
		t.Errorf("--prompt has %+v", own.Samples)
	}
	rowed := s.readSamples("-n", "1", "--max-new-tokens", "2")
	if s := rowed.Samples[0]; s.Prompt != "func main" || *s.Row != 1 || *s.Expected != "() {}" ||
		s.Answers[0].Text != own.Samples[0].Answers[0].Text {
		t.Errorf("the row has %+v, want the answers of its prompt %+v", rowed.Samples, own.Samples)
	}
	file, err := envelope("samples", rowed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("samples.json"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := s.sweep("report", "-o", "html", "--samples", s.path("samples.json")).Output()
	if err != nil || !strings.Contains(string(page), `<section id="samples"`) {
		t.Fatalf("report --samples: %v, %d bytes", err, len(page))
	}
}

func TestSamplesRefuses(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	finishedSweep(t, root, "one", 16, 4.5)
	for want, args := range map[string][]string{
		"sweep report -o html --samples FILE": {"-o", "html"},
		"--rows 0":                            {"-n", "0"},
		"--max-new-tokens 0":                  {"--max-new-tokens", "0"},
		"leave one of them out":               {"--prompt", "x", "-n", "2"},
		"--rank x: want a rank":               {"--rank", "x"},
	} {
		code, stdout, stderr := sweepCommand(t, append([]string{"samples", "--root", root}, args...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("samples %v = %d, %q, said %q, want %q", args, code, stdout, stderr, want)
		}
	}
	if code, _, stderr := sweepCommand(t, "report", "--root", root, "--samples", "x.json"); code != exitUsage ||
		!strings.Contains(stderr, "-o html") {
		t.Errorf("report --samples = %d, said %q", code, stderr)
	}
}
