package prose

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Reason says why a verdict's state is what it is.
func Reason(v plateau.Verdict) string {
	text := reason(v, v.Reason)
	if then := v.Reason.Then; then != nil {
		text += fmt.Sprintf("; up to rank %d: %s", v.Reason.Over, reason(v, *then))
	}
	curveAlone := v.Reason.Code == plateau.ReasonScouted || v.Reason.Code == plateau.ReasonOutscouted
	if v.Screening != nil && v.State != plateau.StateRunning && !curveAlone {
		text += "; " + screening(*v.Screening)
	}
	return text
}

// reason is the sentence of one code; the code itself where it is unknown, which only a newer program can have written.
func reason(v plateau.Verdict, f plateau.Finding) string {
	minGain, ranks := threeDigits(v.MinGain), ranksText(f.Ranks)
	switch f.Code {
	case plateau.ReasonPlateau:
		limit, upper := Apart(3, v.MinGain, f.Values...)
		return fmt.Sprintf("%s %s less than min_gain %s over rank %d: upper %s %s at confidence %s",
			ranks, does(f, "gains", "gain"), limit, f.Over, either(len(f.Ranks), "bound", "bounds"), List(upper), threeDigits(f.Value))
	case plateau.ReasonLikelyPlateau:
		probability := f.Value
		if v.Probability != nil {
			probability = *v.Probability
		}
		text := fmt.Sprintf("%s %s probably less than min_gain %s over rank %d: probability of a gain worth having %s; together "+
			"%s that there is none",
			ranks, does(f, "gains", "gain"), minGain, f.Over, numbers(f.Values), threeDigits(probability))
		if f.Of > 0 {
			ended := "the grid ended after"
			if v.Reason.Then != nil { // something else ended the ladder
				ended = "that is"
			}
			text += fmt.Sprintf("; %s %d of %d such ranks", ended, f.Count, f.Of)
		}
		return text
	case plateau.ReasonOverfit:
		return fmt.Sprintf("%s %s worse than rank %d (gain %s) while the training loss keeps falling: larger ranks memorise",
			ranks, does(f, "is", "are"), f.Over, numbers(f.Values))
	case plateau.ReasonStillImproving:
		limit, gain := Apart(3, v.MinGain, f.Gain.Mean)
		return fmt.Sprintf("the last rank, %d, still gains %s [%s, %s] over rank %d, at least min_gain %s",
			f.Ranks[0], gain[0], threeDigits(*f.Gain.Lo), threeDigits(*f.Gain.Hi), f.Over, limit)
	case plateau.ReasonOneRank:
		return fmt.Sprintf("one rank, %d, cannot show whether a larger or smaller one pays", f.Ranks[0])
	case plateau.ReasonNothingShared:
		return fmt.Sprintf("ranks %d and %d have no seed in common", f.Over, f.Ranks[0])
	case plateau.ReasonFewStrikes:
		return fmt.Sprintf("%s %s probably less than min_gain %s over rank %d, but that is only %d of %d such ranks: probability of a plateau %s",
			ranks, does(f, "gains", "gain"), minGain, f.Over, f.Count, f.Of, threeDigits(f.Value))
	case plateau.ReasonEarlierOpen:
		return fmt.Sprintf("rank %d gains nothing worth having over rank %d, but earlier ranks may: probability of a plateau %s",
			f.Ranks[0], f.Over, threeDigits(f.Value))
	case plateau.ReasonNotLikely:
		needed, probability := Apart(3, f.Limit, f.Value)
		return fmt.Sprintf("%s %s to gain less than min_gain %s over rank %d, so the climb stopped, but on one seed that has a "+
			"probability of %s, and what is called likely needs %s",
			ranks, does(f, "seems", "seem"), minGain, f.Over, probability[0], needed)
	case plateau.ReasonOpen:
		return fmt.Sprintf("rank %d gains %s over rank %d: that neither shows nor excludes a gain of min_gain %s",
			f.Ranks[0], interval(f.Gain), f.Over, minGain)
	default:
		return ending(f)
	}
}

// ending is the sentence of what ends a ladder in the rule's place, or of what it waits for.
func ending(f plateau.Finding) string {
	switch f.Code {
	case plateau.ReasonRunning:
		return fmt.Sprintf("%s: %d of %d trials finished", ranksText(f.Ranks), f.Count, f.Of)
	case plateau.ReasonDrawing:
		return fmt.Sprintf("%s: %d of %d trials of extra seeds finished, which %s", ranksText(f.Ranks), f.Count, f.Of, use(f.Name))
	case plateau.ReasonScreening:
		return fmt.Sprintf("rank %d, to be truncated to every lower rank: %d of %d trials finished", f.Ranks[0], f.Count, f.Of)
	case plateau.ReasonScouting:
		return fmt.Sprintf("rank %d, to be cut down to every lower rank: %d of %d trials finished", f.Ranks[0], f.Count, f.Of)
	case plateau.ReasonScouted:
		return fmt.Sprintf("rank %d is an estimate: the curve of one run flattens there", f.Ranks[0])
	case plateau.ReasonStopping:
		return "limits.time ran out: running trials write their checkpoints"
	case plateau.ReasonStoppingTokens:
		return "limits.tokens ran out: running trials write their checkpoints"
	case plateau.ReasonHeld:
		if len(f.Ranks) == 0 {
			return "the scout is finished: training waits until those of the other cells are too, to be compared (race)"
		}
		return fmt.Sprintf("rank %d is finished: the next waits until the other cells have finished it too, to be compared (race)", f.Ranks[0])
	case plateau.ReasonOutraced:
		return outraced(f)
	case plateau.ReasonOutscouted:
		return outscouted(f)
	case plateau.ReasonFailed:
		return fmt.Sprintf("%d of %d trials failed: %s", f.Count, f.Of, strings.Join(failed(f.Trials), "; "))
	case plateau.ReasonUnstable:
		return unstable(f)
	case plateau.ReasonDiverged:
		return fmt.Sprintf("training diverged at %s: val_loss %s, from %s before the first step; lower learning_rate", ranksText(f.Ranks),
			ends(f), threeDigits(f.Value))
	case plateau.ReasonMemory:
		bound := "the machine has"
		if f.Limit > 0 {
			bound = "limits.memory allows (" + trial.FormatBytes(int64(f.Limit)) + ")"
		}
		return fmt.Sprintf("rank %d needs more memory than %s", f.Ranks[0], bound)
	case plateau.ReasonTrialTime:
		return fmt.Sprintf("a trial of rank %d takes longer than limits.trial_time (%s)", f.Ranks[0], duration(f.Limit))
	case plateau.ReasonTime:
		return fmt.Sprintf("limits.time (%s) ran out before rank %d was complete", duration(f.Limit), f.Ranks[0])
	case plateau.ReasonTokens:
		return fmt.Sprintf("limits.tokens (%.0f) ran out before rank %d was complete", f.Limit, f.Ranks[0])
	default:
		return string(f.Code)
	}
}

// outraced says which ladder is ahead, where, by how much, and what is left of it at best.
func outraced(f plateau.Finding) string {
	text := fmt.Sprintf("ladder %d (%s) is ahead by %s at rank %d and by %s at rank %d. ", f.Count, f.Name, threeDigits(f.Values[0]),
		f.Ranks[0], threeDigits(f.Values[1]), f.Ranks[1])
	if f.Values[1] < f.Values[0] {
		text += fmt.Sprintf("Even if this one goes on catching up as between these ranks, it is still behind by %s at rank %d, ",
			threeDigits(f.Gain.Mean), f.Of)
	} else {
		text += "This one does not catch up, and is behind "
	}
	return text + fmt.Sprintf("by %s at least, at confidence %s over the whole race", threeDigits(*f.Gain.Lo), threeDigits(f.Value))
}

// outscouted says which ladder's scout is ahead, and by how much.
func outscouted(f plateau.Finding) string {
	return fmt.Sprintf("ladder %d (%s) is ahead by the scouts: its loss at rank %d is %s below the lowest of this one, at rank %d. That "+
		"leaves %s where the scout's error is allowed for, and %s at least with noise of %s for each run, at confidence %s over the whole "+
		"race; so it trains no rank",
		f.Count, f.Name, f.Ranks[1], threeDigits(f.Values[0]), f.Ranks[0], threeDigits(f.Gain.Mean), threeDigits(*f.Gain.Lo),
		threeDigits(f.Limit), threeDigits(f.Value))
}

func failed(trials []plateau.Failure) []string {
	var lines []string
	for _, t := range trials {
		why := t.Error
		if t.Crashes > 0 {
			why = fmt.Sprintf("crashed %d times in a row without getting further", t.Crashes)
			if t.Error != "" {
				why += " (" + t.Error + ")"
			}
		}
		lines = append(lines, fmt.Sprintf("rank %d, %s (trial %s): %s", t.Rank, place(t), t.Trial, why))
	}
	return lines
}

func unstable(f plateau.Finding) string {
	what, separator := "seeds", ", "
	var where []string
	for _, t := range f.Trials {
		if t.Tuned != "" {
			what, separator = "trials", "; "
		}
		where = append(where, fmt.Sprintf("%s at step %d", place(t), t.Step))
	}
	return fmt.Sprintf("%d of %d %s of rank %d stopped on a loss or gradient that is not finite: %s",
		f.Count, f.Of, what, f.Ranks[0], strings.Join(where, separator))
}

// ends says where diverged ranks ended, and what guessing costs where that is about it.
func ends(f plateau.Finding) string {
	const about = 0.05
	text := "ends at " + numbers(f.Values)
	guess := math.Log(float64(max(1, f.Count)))
	if slices.ContainsFunc(f.Values, func(v float64) bool { return math.Abs(v-guess) < about*guess }) {
		text += fmt.Sprintf(" (guessing among %d tokens costs %s)", f.Count, threeDigits(guess))
	}
	return text
}

// place names a trial within its rung.
func place(t plateau.Failure) string {
	if t.Tuned == "" {
		return fmt.Sprintf("seed %d", t.Seed)
	}
	return fmt.Sprintf("seed %d, %s", t.Seed, t.Tuned)
}

// screening says what was screened and what that spared.
func screening(s plateau.Screening) string {
	if len(s.Ranks) == 0 {
		return fmt.Sprintf("screened: rank %d is the largest that could be trained, and has no lower one to truncate it to", s.Rank)
	}
	text := fmt.Sprintf("screened: rank %d was trained first, and its adapters truncated to lower ranks pointed to rank %d", s.Rank, s.Knee)
	if s.Scout {
		text = fmt.Sprintf("scouted: one trial of rank %d, cut down to every lower rank, pointed to rank %d", s.Rank, s.Knee)
	}
	if len(s.Skipped) == 0 {
		return text + ", but the climb took every rank"
	}
	return text + fmt.Sprintf(", so %s %s left out", ranksText(s.Skipped), either(len(s.Skipped), "was", "were"))
}
