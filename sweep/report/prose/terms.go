package prose

import (
	"slices"
	"strings"
	"unicode"
)

// Term is a word that people who tune adapters may not know, or may know otherwise, with what it means here. It is the only place that
// says so: reports explain it where it first stands, and a test holds `sweep help rule` to it.
type Term struct {
	Word    string
	Meaning string // the rest of a sentence, without its full stop

	also []string // other forms than the word and its plural; with a space or a sign in them they are looked for as they are
}

// Terms are all of them, in the order in which they are explained.
func Terms() []Term {
	return slices.Concat(measures(), climbing(), states(), flags())
}

// measures are what is measured, and how surely.
func measures() []Term {
	return []Term{
		{Word: "val_loss", Meaning: "the mean loss (cross-entropy, in nats per token) on held-out rows, at the best evaluation of a trial; " +
			"lower is better"},
		{
			Word: "nats", Meaning: "units of the loss, as it is with natural logarithms: 0.1 less is a perplexity 10 % lower",
			also: []string{"nat"},
		},
		{Word: "gain", Meaning: "by how much a rank beats another: how much lower its val_loss is"},
		{Word: "min_gain", Meaning: "the smallest gain that is worth a larger rank, in nats, or as a percentage of the lowest rank's val_loss"},
		{
			Word: "interval", Meaning: "[lo, hi], or ± half of it: where the truth lies, each bound with the certainty that confidence asks for",
			also: []string{"[lo, hi]", "±", "bound", "bounds"},
		},
		{Word: "confidence", Meaning: "how sure the rule is to be: at 0.95 each bound of an interval holds at 97.5 %"},
		{Word: "seed", Meaning: "the number behind a run's random choices; for one seed every rank sees the same batches, dropout masks and " +
			"initial values, so that most of the noise cancels when two ranks are compared"},
		{Word: "noise_sd", Meaning: "the standard deviation that is assumed of one val_loss where seeds do not measure it"},
		{Word: "trial", Meaning: "one training run, of one rank with one seed"},
		{
			Word: "supervised tokens", Meaning: "those that the loss counts: no padding, and no prompt where only completions train",
			also: []string{"supervised", "tokens", "tok/s"},
		},
		{Word: "epoch", Meaning: "each training row seen once"},
		{Word: "scaling", Meaning: "the factor on an adapter's update: alpha/r, or alpha/√r with use_rslora"},
		{Word: "stable rank", Meaning: "how many directions carry an update: ‖ΔW‖² of Frobenius over that of the spectral norm"},
		{Word: "forgetting", Meaning: "how much higher the loss on data.retain is than before training"},
	}
}

// climbing are the words of the rule.
func climbing() []Term {
	return []Term{
		{Word: "ladder", Meaning: "the ranks in ascending order, at one setting of everything else"},
		{Word: "incumbent", Meaning: "the rank to beat"},
		{Word: "strike", Meaning: "a rank that is unlikely (below 20 %) to gain min_gain over the incumbent"},
		{Word: "patience", Meaning: "how many strikes in a row it takes before a ladder may stop"},
		{Word: "baseline", Meaning: "the lowest rank, which nothing is compared with before"},
		{Word: "improved", Meaning: "it gains min_gain or more on average, and certainly more than 0"},
		{Word: "flat", Meaning: "it certainly gains less than min_gain"},
		{Word: "worse", Meaning: "its val_loss is certainly higher than the incumbent's"},
		{Word: "unresolved", Meaning: "these seeds neither show nor exclude a gain of min_gain"},
		{Word: "beyond", Meaning: "past the rank where the ladder stopped: listed, not counted"},
		{
			Word: "screen", Meaning: "the largest rank, trained first and truncated to every lower one, to choose which of those to train",
			also: []string{"screened", "screening"},
		},
		{
			Word: "scout", Meaning: "one trial that shows every rank: the largest, cut down to each lower one and trained on",
			also: []string{"scouted"},
		},
		{Word: "knee", Meaning: "the rank from which on a curve is flat"},
		{
			Word: "race", Meaning: "ladders compared rank by rank: one that is certainly behind by more than min_gain stops",
			also: []string{"racing"},
		},
		{Word: "trial-steps", Meaning: "optimiser steps of all trials together"},
	}
}

// states are those of verdicts.
func states() []Term {
	return []Term{
		{Word: "plateau", Meaning: "larger ranks gain less than min_gain, shown at the given confidence"},
		{
			Word: "likely_plateau", Meaning: "larger ranks probably gain less than min_gain, or the grid ended before patience ran out",
			also: []string{"likely plateau"},
		},
		{Word: "overfit", Meaning: "larger ranks are worse while their training loss falls"},
		{Word: "still_improving", Meaning: "the last rank improved, so the answer is at least that rank", also: []string{"still improving"}},
		{
			Word: "memory_limited", Meaning: "the next rank needs more memory than there is, or than limits.memory allows",
			also: []string{"memory limited"},
		},
		{Word: "time_limited", Meaning: "limits.time, limits.trial_time or limits.tokens ended the ladder", also: []string{"time limited"}},
		{Word: "outraced", Meaning: "another cell of the grid is certainly better, so the ladder stopped"},
		{Word: "unstable", Meaning: "more than half of a rank's seeds met a loss or gradient that is not finite, or training diverged at " +
			"every rank"},
		{Word: "incomplete", Meaning: "trials failed for good"},
		{Word: "inconclusive", Meaning: "the losses support no other verdict; the advice says what it would take"},
	}
}

// flags are those of verdicts.
func flags() []Term {
	return []Term{
		{Word: "barely_trained", Meaning: "no rank gained min_gain over the loss before the first step, so equal losses say nothing"},
		{Word: "step_limited", Meaning: "the loss still falls at the last step: more steps may change the answer"},
		{Word: "overfitting", Meaning: "the loss rose by min_gain after its best step, or larger ranks memorise"},
		{Word: "better_beyond", Meaning: "a rank past the stopping point gains min_gain or more"},
		{Word: "scale_varies", Meaning: "the scaling of the update differs between the incumbent and the ranks that did not beat it"},
		{Word: "diverged", Meaning: "training left a rank worse than it was before its first step"},
		{Word: "one_seed", Meaning: "intervals rest on noise_sd, not on seeds"},
	}
}

// Glossary explains terms, each once.
type Glossary struct{ left []Term }

// NewGlossary returns one that has explained nothing yet.
func NewGlossary() *Glossary { return &Glossary{Terms()} }

// Explain returns the terms that a text has and that were not returned before.
func (g *Glossary) Explain(text string) []Term {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	words := map[string]bool{}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) {
		words[word] = true
	}
	var found []Term
	g.left = slices.DeleteFunc(slices.Clone(g.left), func(t Term) bool {
		has := slices.ContainsFunc(append([]string{t.Word, t.Word + "s"}, t.also...), func(form string) bool {
			if strings.ContainsFunc(form, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) {
				return strings.Contains(text, form)
			}
			return words[form]
		})
		if has {
			found = append(found, t)
		}
		return has
	})
	return found
}

// Meanings writes terms as sentences: "plateau: larger ranks gain less. seed: …".
func Meanings(terms []Term) string {
	sentences := make([]string, len(terms))
	for i, t := range terms {
		sentences[i] = t.Word + ": " + t.Meaning + "."
	}
	return strings.Join(sentences, " ")
}
