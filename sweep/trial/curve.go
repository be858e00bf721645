package trial

// StepTrainLoss is a trial's training loss at a step, in nats per token.
type StepTrainLoss struct {
	Step      int     `json:"step"`
	TrainLoss float64 `json:"train_loss"`
}

// Thin returns at most so many points, each the mean over a stretch of equally many steps and placed at its last one. Fewer are returned as
// they are.
func Thin(curve []StepTrainLoss, most int) []StepTrainLoss {
	if len(curve) <= most || most < 1 {
		return curve
	}
	width := (len(curve) + most - 1) / most
	thin := make([]StepTrainLoss, 0, most)
	for from := 0; from < len(curve); from += width {
		stretch := curve[from:min(from+width, len(curve))]
		sum := 0.0
		for _, p := range stretch {
			sum += p.TrainLoss
		}
		thin = append(thin, StepTrainLoss{stretch[len(stretch)-1].Step, sum / float64(len(stretch))})
	}
	return thin
}
