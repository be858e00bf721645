package prose

import (
	"cmp"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Advice says what to do about a verdict, a sentence for each piece of advice, for whatever sweep.
func Advice(v plateau.Verdict) []string { return Shell{}.Advice(v) }

// Advice says what to do about a verdict, with commands to paste.
func (s Shell) Advice(v plateau.Verdict) []string {
	lines, fixed := make([]string, len(v.Advice)), fixed()
	for i, f := range v.Advice {
		text, ok := fixed[f.Code]
		if !ok {
			text = s.advice(f)
		}
		lines[i] = text
	}
	return lines
}

// fixed are the sentences that name no number.
func fixed() map[plateau.Code]string {
	return map[plateau.Code]string{
		plateau.AdviseLargerRanks: "add larger ranks: the ladder ends before the plateau",
		plateau.AdviseRanks:       "add ranks to the ladder",
		plateau.AdviseNoSeeds:     "no reasonable number of seeds would settle it: choose a larger min_gain, or larger ranks",
		plateau.AdviseClimb:       "add a larger rank: patience has not run out",
		plateau.AdviseWidest:      "no larger rank exists: the last one is as wide as the widest target",
	}
}

// highRate is a learning rate from which on more of it is poor advice: LoRA's authors took 2e-4 to 4e-4 for Adam (Hu et al. 2021,
// appendix D), and at 1M parameters 3e-3 was best (experiments/LOG.md).
const highRate = 0.01

// logs says how to see why a trial failed.
func (s Shell) logs(f plateau.Finding) string {
	switch {
	case len(f.Trials) == 0:
		return s.Command("logs", "TRIAL") + " shows what a failed trial printed"
	case f.Of > 1:
		return fmt.Sprintf("%s shows what the first of the %d failed trials printed", s.Command("logs", f.Trials[0].Trial), f.Of)
	}
	return s.Command("logs", f.Trials[0].Trial) + " shows what the failed trial printed"
}

// extended is the end of a sentence on what to change in the grid.
func (s Shell) extended() string {
	return ", then: " + s.Extend() + " (finished trials are not trained again)"
}

// renamed is the end of a sentence on a change that makes other trials, which no grid of a sweep's name can take.
func (s Shell) renamed() string {
	return ": change that and the name in the grid, then: " + s.onGrid("run")
}

// again is the end of a sentence on what to do for trials that ended without a loss.
func (s Shell) again() string {
	return ", then: " + s.And(s.on("retry", "--failed"), s.on("resume")) + " (finished trials are not trained again)"
}

// advice is the sentence of one code with its numbers; the code itself where it is unknown, which only a newer program can have written.
func (s Shell) advice(f plateau.Finding) string {
	switch f.Code {
	case plateau.AdviseNewName:
		return "write the ranks to add into lora.rank of the grid" + s.extended()
	case plateau.AdviseLogs:
		return s.logs(f)
	case plateau.AdviseRerun:
		return "fix the cause" + s.again()
	case plateau.AdviseMoreTime:
		return "raise limits.time in the grid" + s.extended()
	case plateau.AdviseMoreTokens:
		return "raise limits.tokens in the grid" + s.extended()
	case plateau.AdviseOverfits:
		return "the validation loss" + of(f.Ranks) + " rises after its best step: fewer steps, a lower learning rate or more dropout"
	case plateau.AdviseLonger:
		return "the validation loss" + of(f.Ranks) + " still falls at the last step: train longer before trusting a difference between ranks"
	case plateau.AdviseRank:
		return fmt.Sprintf("use rank %d: %s %s nothing that min_gain counts", f.Over, ranksText(f.Ranks), does(f, "buys", "buy"))
	case plateau.AdviseRankOrLower:
		return fmt.Sprintf("use rank %d or lower, more dropout, fewer steps or more data", f.Over)
	case plateau.AdviseSeeds:
		what := "it"
		if f.Of > 0 {
			what = "the ranks tried"
		}
		return fmt.Sprintf("%d seeds per rank would settle %s, if gain and noise stay as they are", f.Count, what)
	case plateau.AdviseNoise:
		return onNoise(f)
	case plateau.AdviseUncertain:
		return s.uncertain(f)
	case plateau.AdviseDraw:
		return fmt.Sprintf("train seeds %v at ranks %v: they %s", f.Seeds, f.Ranks, use(f.Name))
	case plateau.AdviseBeyond:
		return fmt.Sprintf("rank %d, past the point where the rule stopped, gains %s over rank %d: a patience of %d was too short here",
			f.Ranks[0], interval(f.Gain), f.Over, f.Of)
	case plateau.AdviseMemorises:
		return fmt.Sprintf("%s %s worse than rank %d while the training loss keeps falling: more dropout, fewer steps or more data",
			ranksText(f.Ranks), does(f, "is", "are"), f.Over)
	case plateau.AdviseBarely:
		if f.Value < 0 {
			return "training made the loss worse at every rank (by " + threeDigits(-f.Value) +
				" from before the first step at least): lower learning_rate or steps before trusting that ranks are alike"
		}
		text := "training hardly moved the loss at any rank (" + threeDigits(f.Value) + " from before the first step at best): "
		if f.Limit >= highRate {
			return text + "learning_rate " + threeDigits(f.Limit) + " is high for LoRA, so try one between 1e-4 and 3e-3, or more steps, " +
				"before trusting that ranks are alike"
		}
		return text + "raise learning_rate or steps before trusting that ranks are alike; if it stays poor, adapt more target_modules or " +
			"climb to higher ranks"
	case plateau.AdviseNextRank:
		return fmt.Sprintf("try rank %d next", f.Over)
	default:
		return s.limited(f)
	}
}

// limited is the advice where a limit, a failure, tuning or screening has its say.
func (s Shell) limited(f plateau.Finding) string {
	switch f.Code {
	case plateau.AdviseLowerRate:
		rate := threeDigits(f.Value)
		if f.Name != "" {
			rate += " at least"
		}
		return fmt.Sprintf("lower learning_rate (now %s), add warmup_steps, or clip harder with max_grad_norm", rate)
	case plateau.AdviseDiverged:
		return fmt.Sprintf("%s diverged, val_loss %s from %s before the first step: that is no sign that a larger or smaller rank is worse; "+
			"lower learning_rate, or alpha where it scales these ranks more than others", ranksText(f.Ranks), ends(f), threeDigits(f.Value))
	case plateau.AdviseAlpha:
		return fmt.Sprintf("check the alpha policy: at rank %d alpha %s scales updates by %s", f.Over, threeDigits(f.Value), threeDigits(f.Limit))
	case plateau.AdviseLessMemory:
		if f.Limit == 0 { // it is the machine that has too little
			return s.lowerFirst(f) + "free memory, or take a machine with more" + s.again()
		}
		return lower(f) + "raise limits.memory in the grid" + s.extended()
	case plateau.AdviseSmaller:
		return "fewer target_modules, or a smaller batch_size with more gradient_accumulation_steps, need less memory" + s.renamed()
	case plateau.AdviseLessTime:
		return lower(f) + "raise limits.trial_time in the grid" + s.extended()
	case plateau.AdviseCheaper:
		return "fewer steps, fewer target_modules, a smaller batch_size or a shorter sequence_length take less time" + s.renamed()
	case plateau.AdviseRankCost:
		return fmt.Sprintf("what rank %d itself costs: %d trainable parameters, %s with gradient and moments; half the rank takes half of "+
			"that, while the base model and the batch take the same at every rank", f.Over, f.Count, trial.FormatBytes(int64(f.Value)))
	case plateau.AdviseUndrawn:
		return fmt.Sprintf("limits.time (%s) ran out before the extra seeds of %s were trained, which %s: raise it in the grid%s",
			duration(f.Limit), ranksText(f.Ranks), use(f.Name), s.extended())
	case plateau.AdviseUndrawnSpent:
		return fmt.Sprintf("limits.tokens (%.0f) ran out before the extra seeds of %s were trained, which %s: raise it in the grid%s",
			f.Limit, ranksText(f.Ranks), use(f.Name), s.extended())
	case plateau.AdviseEdge:
		step := "larger"
		if f.Side == "smallest" {
			step = "smaller"
		}
		return fmt.Sprintf("the best %s of %s is the %s of its list: add a %s value, for a rank that is tuned worse than others looks worse "+
			"than it is", f.Name, ranksText(f.Ranks), f.Side, step)
	case plateau.AdviseChosen:
		return fmt.Sprintf("each rank stands for the best of its %d candidates on the same seeds: that makes every loss a little too low, the "+
			"more so the larger the noise, and the intervals do not count the choice", f.Count)
	case plateau.AdviseScale:
		return scale(f)
	case plateau.AdviseRace:
		return "no trial is spent on the higher ranks of a cell that loses; race: false has it climbed to its own verdict: write that into " +
			"the grid" + s.extended()
	case plateau.AdviseRaceScouts:
		return "no trial but the scout is spent on a cell that loses; race: false has it climbed to its own verdict, and uses the scout " +
			"again: write that into the grid" + s.extended()
	case plateau.AdviseClimbInstead:
		return fmt.Sprintf("strategy: %s trains rank %d before all others; strategy: ladder climbs from rank %d and may never need it",
			cmp.Or(f.Name, "screen"), f.Over, f.Ranks[0])
	case plateau.AdviseCertify:
		return "strategy: scout in the grid trains the ranks around it until the rule can claim something; what the scout trained is used again"
	default:
		return string(f.Code)
	}
}

func onNoise(f plateau.Finding) string {
	on := "one seed per rank: the intervals rest"
	if n := len(f.Ranks); n > 0 {
		on = ranksText(f.Ranks) + " " + does(f, "is", "are") + " compared on one seed: " +
			either(n, "that interval rests", "those intervals rest")
	}
	claims := ""
	switch {
	case f.Limit == 0:
	case f.Name != plateau.NoiseDefault:
		claims = fmt.Sprintf(", one number for all ranks, so a plateau is certain only where it would be at %s", threeDigits(f.Limit))
	default:
		claims = fmt.Sprintf(", which nothing measured, so a plateau is likely only where it would be at %s", threeDigits(f.Limit))
	}
	return fmt.Sprintf("%s on noise_sd %s (%s)%s; three seeds measure the noise", on, threeDigits(f.Value), f.Name, claims)
}

func (s Shell) uncertain(f plateau.Finding) string {
	if f.Count > 0 {
		return s.onChance(f)
	}
	text := fmt.Sprintf("rank %d gains %s over rank %d, which is not certain: the ladder climbed on from there "+
		"because a plateau at rank %d was "+
		"neither certain nor likely enough", f.Ranks[0], interval(f.Gain), f.Over, f.Over)
	if f.Gain.Mean > 0 {
		return text
	}
	return text + ", and no rank tried over it was better on average"
}

// onChance is what is uncertain of a rank that a sparing climb went on from.
func (s Shell) onChance(f plateau.Finding) string {
	text := fmt.Sprintf("rank %d gains %s over rank %d, which is not certain: with %d %s a gain of min_gain had a probability of %g or more, "+
		"and that is enough to climb on from there",
		f.Ranks[0], interval(f.Gain), f.Over, f.Count, either(f.Count, "seed", "seeds"), plateau.ClimbOn)
	if f.Of > 0 {
		text += fmt.Sprintf("; to compare the two with %d more, write seeds_per_rank: all into the grid's plateau%s", f.Of, s.extended())
	}
	return text
}

// lower says which ranks fit where the current one does not; nothing where there is no lower one.
func lower(f plateau.Finding) string {
	switch {
	case f.Over > 0:
		return "stay at a lower rank, or "
	case len(f.Ranks) > 0 && f.Ranks[0] == 1:
		return ""
	}
	return "add a lower rank, or "
}

// lowerFirst is lower where the rest of the sentence is not about the grid.
func (s Shell) lowerFirst(f plateau.Finding) string {
	if text := lower(f); f.Over > 0 || text == "" {
		return text
	}
	return "add a lower rank to the grid, then: " + s.Extend() + "; or "
}

func scale(f plateau.Finding) string {
	from, to := f.Values[0], f.Values[1]
	change, remedy := "falls", "alpha: 2r keeps it the same at every rank, use_rslora lets it fall more slowly"
	if to > from {
		change, remedy = "grows", "a fixed alpha, or 2r without use_rslora, does not let it grow"
	}
	return fmt.Sprintf("the scaling of the update %s from %s at rank %d to %s at rank %d, so this plateau may be one of scale rather than of "+
		"rank: %s", change, threeDigits(from), f.Ranks[0], threeDigits(to), f.Ranks[1], remedy)
}
