package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// publishedVerdict is what one ladder of a published table comes to.
type publishedVerdict struct {
	Settings map[string]string
	Verdict  struct {
		State string
		Rank  int `json:"recommended_rank"`
		Seeds int `json:"seeds_to_certify"`
	}
	Rungs []struct {
		Decision string
		ValLoss  struct{ Mean float64 } `json:"val_loss"`
	}
}

// publishedVerdicts runs a command of the file, and returns its ladders.
func publishedVerdicts(t *testing.T, command string) []publishedVerdict {
	t.Helper()
	args := strings.Fields(command)[1:]
	args[1] = fromTop(args[1])
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), append(args, "-o", "json"), strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("%s: exit %d, %s", command, code, stderr.String())
	}
	var got struct {
		publishedVerdict
		Ladders []publishedVerdict
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Ladders == nil {
		return []publishedVerdict{got.publishedVerdict}
	}
	return got.Ladders
}

// TestPublished: experiments/published.md says of each ladder of the LoRA paper's tables what its commands print.
func TestPublished(t *testing.T) {
	t.Parallel()
	text := readDoc(t, "experiments/published.md")
	verdict := regexp.MustCompile(`\| rank \d+: `)
	said, ran := 0, 0
	for line := range strings.Lines(text) {
		said += len(verdict.FindAllString(line, -1))
		if !strings.HasPrefix(line, "sweep plateau ") {
			continue
		}
		words := strings.Fields(line)
		column := words[slices.Index(words, "--column")+1]
		for _, v := range publishedVerdicts(t, line) {
			ran++
			counted := 0
			var values []string
			for _, r := range v.Rungs {
				values = append(values, strconv.FormatFloat(r.ValLoss.Mean, 'f', 1, 64))
				if r.Decision != "beyond" {
					counted++
				}
			}
			name, last := "| "+column+" |", fmt.Sprintf("| rank %d: %s | %d |", v.Verdict.Rank, v.Verdict.State, counted)
			if targets := v.Settings["targets"]; targets != "" {
				data := map[bool]string{true: "WikiSQL", false: "MultiNLI"}[strings.Contains(line, "wikisql")]
				name = "| " + data + " | " + targets + " | " + strings.Join(values, ", ") + " |"
				last = fmt.Sprintf("| rank %d: %s |", v.Verdict.Rank, v.Verdict.State)
			}
			i := strings.Index(text, name)
			row, _, _ := strings.Cut(text[max(0, i):], "\n")
			if i < 0 || !strings.HasSuffix(row, last) {
				t.Errorf("%s%s: %q does not end on %q", line, name, row, last)
			}
		}
	}
	if ran != said || ran != 12 {
		t.Errorf("the commands judge %d ladders, the tables say %d, want 12 of each", ran, said)
	}
}

// TestPublishedTwoPoints: the file says of WikiSQL what its command prints where min_gain is two points.
func TestPublishedTwoPoints(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(readDoc(t, "experiments/published.md")), " ")
	command := regexp.MustCompile(`sweep plateau \S+wikisql\.csv .*?--min-gain`).FindString(text) + " 2"
	v := map[string]publishedVerdict{}
	for _, l := range publishedVerdicts(t, command) {
		v[l.Settings["targets"]] = l
	}
	one, two, all := v["Wq"].Verdict, v["Wq Wv"].Verdict, v["Wq Wk Wv Wo"].Verdict
	want := fmt.Sprintf("with `--min-gain 2` it says %s at rank %d for all four, %s at rank %d for Wq Wv (%d seeds per rank would settle it) "+
		"and %s for Wq alone", all.State, all.Rank, two.State, two.Rank, two.Seeds, one.State)
	if !strings.Contains(text, want) {
		t.Errorf("%s: the file does not say %q", command, want)
	}
}
