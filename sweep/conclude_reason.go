package sweep

import (
	"fmt"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// reasonFailed lists the cells that failed for good.
func (s standing) reasonFailed() string {
	rung := s.ladder.Rungs[s.current].grid()
	var cells []string
	for _, t := range rung.Trials {
		if t.State() == TrialFailed {
			cells = append(cells, fmt.Sprintf("rank %d, %s (trial %s): %s", rung.Rank, s.ladder.place(t), t.Trial.ID, t.failure()))
		}
	}
	return fmt.Sprintf("%d of %d trials failed: %s", len(cells), len(rung.Trials), strings.Join(cells, "; "))
}

// place names a trial within its rung.
func (l Ladder) place(t TrialFacts) string {
	place := fmt.Sprintf("seed %d", t.seed())
	if t.Candidate < len(l.Candidates) {
		place += ", " + l.Candidates[t.Candidate].String()
	}
	return place
}

// failure says why a trial failed for good.
func (t TrialFacts) failure() string {
	if o := t.Final(); o != nil && o.Error != "" {
		return o.Error
	}
	last := t.Attempts[len(t.Attempts)-1].Outcome
	text := fmt.Sprintf("crashed %d times in a row without getting further", crashLimit)
	if last != nil && last.Error != "" {
		text += " (" + last.Error + ")"
	}
	return text
}

func (s standing) reasonUnstable() string {
	rung := s.ladder.Rungs[s.current].grid()
	var where []string
	for _, t := range rung.Trials {
		if t.State() == TrialUnstable {
			where = append(where, fmt.Sprintf("%s at step %d", s.ladder.place(t), t.Final().Step))
		}
	}
	what, separator := "seeds", ", "
	if len(s.ladder.Candidates) > 0 {
		what, separator = "trials", "; "
	}
	return fmt.Sprintf("%d of %d %s of rank %d stopped on a loss or gradient that is not finite: %s",
		len(where), len(rung.Trials), what, rung.Rank, strings.Join(where, separator))
}

func (s standing) adviseUnstable() []string {
	trials := s.ladder.Rungs[s.current].grid().Trials
	spec := trials[0].Trial.Spec
	rate := plateau.ThreeDigits(spec.Train.LearningRate)
	if s.tunes("learning_rate") {
		for _, t := range trials {
			spec.Train.LearningRate = min(spec.Train.LearningRate, t.Trial.Spec.Train.LearningRate)
		}
		rate = plateau.ThreeDigits(spec.Train.LearningRate) + " at least"
	}
	return []string{
		fmt.Sprintf("lower learning_rate (now %s), add warmup_steps, or clip harder with max_grad_norm", rate),
		fmt.Sprintf("check the alpha policy: at rank %d alpha %s scales updates by %s", spec.LoRA.Rank, plateau.ThreeDigits(spec.LoRA.Alpha), plateau.ThreeDigits(spec.LoRA.Scaling())),
	}
}

// lower says which ranks fit where the current one does not.
func (s standing) lower() string {
	if len(s.counted) == 0 {
		return "begin the ladder at a lower rank"
	}
	return "stay at a lower rank"
}

// adapterBytes is what a trainable parameter takes during training: itself, its gradient and Adam's two moments, each in
// float32.
const adapterBytes = 4 * 4

// rankCost says what the current rank itself takes, from the number of parameters that its workers, or those of the rank
// below, reported; none where no worker came so far. What the base model and a batch take does not depend on rank.
func (s standing) rankCost() []string {
	for i := s.current; i >= 0; i-- {
		rung := s.ladder.Rungs[i]
		for _, t := range rung.ChosenRung().Trials {
			if t.TrainableParams == 0 {
				continue
			}
			params := t.TrainableParams * int64(s.rank()) / int64(rung.Rank)
			return []string{fmt.Sprintf("what rank %d itself costs: %d trainable parameters, %s with gradient and moments; half the rank takes half of "+
				"that, while the base model and the batch take the same at every rank", s.rank(), params, bytesText(params*adapterBytes))}
		}
	}
	return nil
}

func (s standing) reasonMemory(info Info) string {
	bound := "the machine has"
	if info.Limits.Memory > 0 {
		bound = "limits.memory allows (" + bytesText(info.Limits.Memory) + ")"
	}
	return fmt.Sprintf("rank %d needs more memory than %s", s.rank(), bound)
}

func (s standing) reasonTrialTime(info Info) string {
	return fmt.Sprintf("a trial of rank %d takes longer than limits.trial_time (%s)", s.rank(), forHumans(info.Limits.TrialTime))
}

func (s standing) reasonTime(info Info) string {
	return fmt.Sprintf("limits.time (%s) ran out before rank %d was complete", forHumans(info.Limits.Time), s.rank())
}

// reasonRunning counts the trials that the ladder waits for.
func (s standing) reasonRunning() string {
	done, all := 0, 0
	var ranks []int
	for _, w := range s.work() {
		rank := s.ladder.Rungs[w.index].Rank
		ranks = append(ranks, rank)
		for _, t := range w.trials {
			all++
			if t.State().Over() {
				done++
			}
		}
	}
	if s.climb.Draw != nil {
		return fmt.Sprintf("%s %s: %d of %d trials of extra seeds finished, which %s",
			plateau.Either(len(ranks), "rank", "ranks"), plateau.ListInts(ranks), done, all+len(s.unregistered()), s.climb.Use())
	}
	if len(s.screens) > 0 {
		return fmt.Sprintf("rank %d, to be truncated to every lower rank: %d of %d trials finished", ranks[0], done, all)
	}
	return fmt.Sprintf("rank %d: %d of %d trials finished", ranks[0], done, all)
}

// adviseUndrawn says what a likely plateau lacks whose extra seeds were not trained before time ran out.
func (s standing) adviseUndrawn(info Info) string {
	return fmt.Sprintf("limits.time (%s) ran out before the extra seeds of %s %s were trained, which %s: "+
		"raise it under a new name, finished trials are not trained again",
		forHumans(info.Limits.Time), plateau.Either(len(s.climb.Draw.Ranks), "rank", "ranks"), plateau.ListInts(s.climb.Draw.Ranks), s.climb.Use())
}

// bytesText prints a size in the largest binary unit that leaves at least 1.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, u := float64(n), 0
	for x >= 1024 && u < len(units)-1 {
		x, u = x/1024, u+1
	}
	return plateau.ThreeDigits(x) + " " + units[u]
}

// forHumans prints 2h0m0s as 2h.
func forHumans(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
