package sweep

import (
	"fmt"
	"strings"
	"time"
)

// reasonFailed lists the cells that failed for good.
func (s standing) reasonFailed() string {
	rung := s.ladder.Rungs[s.current]
	var cells []string
	for _, t := range rung.Trials {
		if t.state() == trialFailed {
			cells = append(cells, fmt.Sprintf("rank %d, seed %d (trial %s): %s", rung.Rank, t.seed(), t.Trial.ID, t.failure()))
		}
	}
	return fmt.Sprintf("%d of %d trials failed: %s", len(cells), len(rung.Trials), strings.Join(cells, "; "))
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
	rung := s.ladder.Rungs[s.current]
	var where []string
	for _, t := range rung.Trials {
		if t.state() == trialUnstable {
			where = append(where, fmt.Sprintf("seed %d at step %d", t.seed(), t.Final().Step))
		}
	}
	return fmt.Sprintf("%d of %d seeds of rank %d stopped on a loss or gradient that is not finite: %s",
		len(where), len(rung.Trials), rung.Rank, strings.Join(where, ", "))
}

func (s standing) adviseUnstable() []string {
	spec := s.ladder.Rungs[s.current].Trials[0].Trial.Spec
	return []string{
		fmt.Sprintf("lower learning_rate (now %s), add warmup_steps, or clip harder with max_grad_norm", threeDigits(spec.Train.LearningRate)),
		fmt.Sprintf("check the alpha policy: at rank %d alpha %s scales updates by %s", spec.LoRA.Rank, threeDigits(spec.LoRA.Alpha), threeDigits(spec.LoRA.Scaling())),
	}
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

func (s standing) reasonRunning() string {
	done := 0
	rung := s.ladder.Rungs[s.current]
	for _, t := range rung.Trials {
		if t.state() != trialPending {
			done++
		}
	}
	return fmt.Sprintf("rank %d: %d of %d trials finished", rung.Rank, done, len(rung.Trials))
}

// bytesText prints a size in the largest binary unit that leaves at least 1.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, u := float64(n), 0
	for x >= 1024 && u < len(units)-1 {
		x, u = x/1024, u+1
	}
	return threeDigits(x) + " " + units[u]
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
