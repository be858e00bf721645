package prose_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// codes reads the constants of type plateau.Code from the package's source: those whose names begin with prefix.
func codes(t *testing.T, prefix string) []plateau.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../plateau/finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []plateau.Code
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, plateau.Code(text))
		}
		return true
	})
	return all
}

// full is a finding with every number that some sentence names.
func full(code plateau.Code) plateau.Finding {
	lo, hi := 0.01, 0.03
	return plateau.Finding{
		Code: code, Ranks: []int{8, 16}, Over: 4, Values: []float64{0.5, 0.25}, Gain: &plateau.Interval{Mean: 0.02, Lo: &lo, Hi: &hi},
		Value: 0.1, Limit: 7200, Count: 1, Of: 2, Seeds: []int64{3}, Name: "learning_rate", Side: "largest",
		Trials: []plateau.Failure{{Trial: "ab", Rank: 8, Seed: 1, Error: "no luck"}},
	}
}

// TestEveryCodeHasItsSentence: each has one, no two are the same, and no number is printed raw.
func TestEveryCodeHasItsSentence(t *testing.T) {
	t.Parallel()
	probability := 0.9
	var seen []string
	for prefix, render := range map[string]func(plateau.Finding) string{
		"Reason": func(f plateau.Finding) string {
			return prose.Reason(plateau.Verdict{Reason: f, MinGain: 0.02, Probability: &probability})
		},
		"Choice": func(f plateau.Finding) string { return prose.Choice(plateau.Verdict{Choice: &f}) },
		"Advise": func(f plateau.Finding) string { return prose.Advice(plateau.Verdict{Advice: []plateau.Finding{f}})[0] },
	} {
		all := codes(t, prefix)
		if len(all) < 3 {
			t.Fatalf("%d codes begin with %s", len(all), prefix)
		}
		for _, code := range all {
			text := render(full(code))
			if text == "" || strings.Contains(text, "%!") || slices.Contains(seen, text) {
				t.Errorf("%s: %q is empty, badly formatted or another code's", code, text)
			}
			seen = append(seen, text)
		}
	}
}

// TestEveryReasonBehindALimit: where a limit ends a ladder, what its ranks say by themselves is told too, without the verdict's
// probability, which such a verdict need not have.
func TestEveryReasonBehindALimit(t *testing.T) {
	t.Parallel()
	for _, code := range codes(t, "Reason") {
		limit, then := full(plateau.ReasonTime), full(code)
		alone := prose.Reason(plateau.Verdict{Reason: then, MinGain: 0.02})
		limit.Then = &then
		text := prose.Reason(plateau.Verdict{Reason: limit, MinGain: 0.02})
		short := strings.ReplaceAll(alone, "the grid ended after", "that is")
		if alone == "" || text != "limits.time (2h) ran out before rank 8 was complete; up to rank 4: "+short {
			t.Errorf("%s: %q, and by itself %q", code, text, alone)
		}
		if strings.Contains(text, "%!") {
			t.Errorf("%s: %q is badly formatted", code, text)
		}
	}
	likely := full(plateau.ReasonLikelyPlateau)
	if text := prose.Reason(plateau.Verdict{Reason: likely}); !strings.Contains(text, "together 0.1 that there is none") {
		t.Errorf("without the verdict's probability the finding's counts: %q", text)
	}
}

// TestChoiceLeavesTheGainToTheReason: what follows says the same interval, and it is not said twice.
func TestChoiceLeavesTheGainToTheReason(t *testing.T) {
	t.Parallel()
	choice, reason := full(plateau.ChoiceBest), full(plateau.ReasonOpen)
	v := plateau.Verdict{Choice: &choice, Reason: reason, MinGain: 0.02}
	const gain = "0.02 [0.01, 0.03]"
	if a, b := prose.Choice(v), prose.Reason(v); strings.Contains(a, gain) || !strings.Contains(b, gain) {
		t.Errorf("%q, then %q", a, b)
	}
	v.Reason.Gain = &plateau.Interval{Mean: 0.04, Lo: choice.Gain.Lo, Hi: choice.Gain.Hi}
	if text := prose.Choice(v); !strings.Contains(text, gain) {
		t.Errorf("beside another gain %q", text)
	}
}

// TestUnknownCodes: what a newer program wrote is named, not left out.
func TestUnknownCodes(t *testing.T) {
	t.Parallel()
	unknown := plateau.Finding{Code: "from_the_future"}
	v := plateau.Verdict{Reason: unknown, Advice: []plateau.Finding{unknown}}
	if reason, advice := prose.Reason(v), prose.Advice(v); reason != "from_the_future" || advice[0] != reason {
		t.Errorf("an unknown code reads %q and %q", reason, advice)
	}
}

// TestLargeNumbers: alpha 1024 is no 1.02e+03.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	f := full(plateau.AdviseAlpha)
	f.Value, f.Limit = 1024, 999.7
	if text := prose.Advice(plateau.Verdict{Advice: []plateau.Finding{f}})[0]; !strings.Contains(text, "alpha 1024 scales updates by 1000") {
		t.Errorf("advice %q", text)
	}
	for x, want := range map[float64]string{
		0: "0", 2e-5: "2e-05", 0.0123456: "0.0123", 16: "16", 999.4: "999", 999.6: "1000", 1024: "1024", -4096: "-4096", 1e6: "1000000",
	} {
		if got := prose.Significant(x, 3); got != want {
			t.Errorf("%v is printed %s, want %s", x, got, want)
		}
	}
}

// TestFactsHoldNoSentence: what a store keeps of a verdict changes with its numbers, never with the wording.
func TestFactsHoldNoSentence(t *testing.T) {
	t.Parallel()
	rungs := []plateau.Losses{
		{Rank: 1, Seeds: []int64{0, 1, 2}, ValLoss: []float64{4.80, 4.82, 4.81}, Complete: true},
		{Rank: 2, Seeds: []int64{0, 1, 2}, ValLoss: []float64{4.60, 4.62, 4.611}, Complete: true},
		{Rank: 4, Seeds: []int64{0, 1, 2}, ValLoss: []float64{4.599, 4.619, 4.61}, Complete: true},
		{Rank: 8, Seeds: []int64{0, 1, 2}, ValLoss: []float64{4.598, 4.62, 4.611}, Complete: true},
	}
	v, err := plateau.DefaultRule().Judge(rungs)
	if err != nil {
		t.Fatal(err)
	}
	fact, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	sentences := append(prose.Advice(v), prose.Reason(v))
	if v.State != plateau.StatePlateau || len(sentences) < 2 {
		t.Fatalf("%s: %q", v.State, sentences)
	}
	for _, text := range sentences {
		if strings.Contains(string(fact), text) {
			t.Errorf("the fact holds %q", text)
		}
	}
	if strings.Contains(string(fact), " ") {
		t.Errorf("the fact holds words: %s", fact)
	}
	var back plateau.Verdict
	if err := json.Unmarshal(fact, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := prose.Reason(back), prose.Reason(v); got != want {
		t.Errorf("a stored verdict reads %q, want %q", got, want)
	}
}

// TestNoLowerRankThanTheFirst: where rank 1 does not fit there is none below it; and where the machine has no more memory there is no limit
// to raise.
func TestNoLowerRankThanTheFirst(t *testing.T) {
	t.Parallel()
	const machine = "free memory, or take a machine with more, then: sweep retry --failed NAME && sweep resume NAME"
	for rank, want := range map[int][2]string{
		1: {"raise limits.memory in the grid, then: ", machine},
		2: {
			"add a lower rank, or raise limits.memory in the grid, then: ",
			"add a lower rank to the grid, then: sweep extend GRID.yaml; or " + machine,
		},
	} {
		for i, limit := range []float64{1 << 30, 0} {
			f := plateau.Finding{Code: plateau.AdviseLessMemory, Ranks: []int{rank}, Limit: limit}
			if got := prose.Advice(plateau.Verdict{Advice: []plateau.Finding{f}})[0]; !strings.HasPrefix(got, want[i]) {
				t.Errorf("rank %d, limit %g: %q, want %q", rank, limit, got, want[i])
			}
		}
	}
}
