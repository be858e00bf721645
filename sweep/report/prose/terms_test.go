package prose

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// TestGlossary: a term is explained where it first stands, in whatever form, and once.
func TestGlossary(t *testing.T) {
	t.Parallel()
	g := NewGlossary()
	for _, step := range []struct {
		text string
		want []string
	}{
		{"Use rank 8.", nil},
		{"ranks 16 and 32 gain less than min_gain 0.024", []string{"gain", "min_gain"}},
		{"val_loss 4.79 ±0.09 over seeds 0 and 1", []string{"val_loss", "interval", "seed"}},
		{"a likely\nplateau, on trials of min_gain", []string{"trial", "plateau", "likely_plateau"}},
		{"Plateau seeds", nil},
		{"its stable\n  rank", []string{"stable rank"}},
		{"scouted", []string{"scout"}},
	} {
		var got []string
		for _, term := range g.Explain(step.text) {
			got = append(got, term.Word)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", step.text, diff)
		}
	}
}

// TestEveryCodeHasATerm: no state, decision or flag of a verdict is left unexplained, and no term is explained twice.
func TestEveryCodeHasATerm(t *testing.T) {
	t.Parallel()
	var words []string
	for _, term := range Terms() {
		if slices.Contains(words, term.Word) || term.Meaning == "" || strings.HasSuffix(term.Meaning, ".") {
			t.Errorf("%+v", term)
		}
		words = append(words, term.Word)
	}
	for _, code := range []string{
		string(plateau.StateIncomplete), string(plateau.StateUnstable), string(plateau.StateOverfit), string(plateau.StatePlateau),
		string(plateau.StateLikelyPlateau), string(plateau.StateMemoryLimited), string(plateau.StateTimeLimited), string(plateau.StateOutraced),
		string(plateau.StateStillImproving), string(plateau.StateInconclusive), string(plateau.DecisionBaseline),
		string(plateau.DecisionImproved),
		string(plateau.DecisionWorse), string(plateau.DecisionFlat), string(plateau.DecisionUnresolved), string(plateau.DecisionBeyond),
		plateau.FlagBarelyTrained, plateau.FlagStepLimited, plateau.FlagOverfitting, plateau.FlagBeyond, plateau.FlagScale, plateau.FlagDiverged,
		plateau.FlagOneSeed,
	} {
		if !slices.Contains(words, code) {
			t.Errorf("%s is not explained", code)
		}
	}
}
