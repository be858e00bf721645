package main

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// rivals are the rules that people use today, each as its source says, fed with one mean per rank where it knows nothing
// of seeds.
func rivals() []protocol {
	return []protocol{
		{name: "Keras, one seed", seeds: 1, judge: keras},
		{name: "Keras, mean", judge: keras},
		{name: "Ray std", judge: rayStd},
		{name: "Optuna Patient", judge: optunaPatient},
		{name: "Optuna Wilcoxon", judge: optunaWilcoxon},
		{name: "unpaired t-test", judge: unpairedT},
		{name: "one standard error", judge: oneStandardError},
		{name: "Kneedle", judge: kneedle},
	}
}

// keras is EarlyStopping(min_delta=min_gain, patience, restore_best_weights): a rung counts when it is better than the best
// so far by more than min_delta (keras.callbacks.EarlyStopping, Keras 3).
func keras(l ladder) call {
	m, minGain := l.means(), l.minGain()
	best, waited := 0, 0
	for r := 1; r < rungs; r++ {
		waited++
		if m[r] < m[best]-minGain {
			best, waited = r, 0
		}
		if waited >= patience {
			return l.climbed(claimPlateau, best, r+1)
		}
	}
	return l.climbed(claimNone, best, rungs)
}

// rayStd is TrialPlateauStopper(num_results=patience+1, std=min_gain/2): stop when the standard deviation of the last
// results is small (ray.tune.stopper, Ray 2). A spread of min_gain over three results is a deviation of min_gain/2 at most.
// Who stops there takes the first of the results that no longer differ.
func rayStd(l ladder) call {
	m, minGain := l.means(), l.minGain()
	for r := patience; r < rungs; r++ {
		if stat.PopStdDev(m[r-patience:r+1], nil) <= minGain/2 {
			return l.climbed(claimPlateau, r-patience, r+1)
		}
	}
	return l.climbed(claimNone, lowest(m), rungs)
}

// optunaPatient is PatientPruner(None, patience, min_delta=0): prune when the best of the last patience+1 values is worse
// than the best before them (optuna.pruners.PatientPruner, Optuna 4). Its min_delta would let it wait until they are worse
// by that much.
func optunaPatient(l ladder) call {
	m := l.means()
	for r := patience + 1; r < rungs; r++ {
		before, after := m[:r-patience], m[r-patience:r+1]
		if slices.Min(before) < slices.Min(after) {
			return l.climbed(claimPlateau, lowest(before), r+1)
		}
	}
	return l.climbed(claimNone, lowest(m), rungs)
}

// optunaWilcoxon is WilcoxonPruner(p_threshold=0.1) with seeds as its instances: a rung is pruned when the signed-rank test
// shows it worse than the best so far and its mean is not better (optuna.pruners.WilcoxonPruner, Optuna 4). Patience pruned
// rungs in a row end the ladder.
func optunaWilcoxon(l ladder) call {
	m := l.means()
	best, pruned := 0, 0
	for r := 1; r < rungs; r++ {
		worse := make([]float64, l.seeds)
		for s := range worse {
			worse[s] = l.y[r][s] - l.y[best][s]
		}
		switch {
		case m[r] > m[best] && signedRank(worse) < .1:
			pruned++
		default:
			pruned = 0
		}
		if m[r] < m[best] {
			best = r
		}
		if pruned >= patience {
			return l.climbed(claimPlateau, best, r+1)
		}
	}
	return l.climbed(claimNone, best, rungs)
}

// signedRank is the exact one-sided p-value of Wilcoxon's signed-rank test that x is centred above 0 (Wilcoxon 1945): the
// share of the 2ⁿ sign patterns whose positive ranks sum to at least the observed. Without ties, which continuous noise
// does not have; meant for the few seeds of a rung.
func signedRank(x []float64) float64 {
	order := slices.Clone(x)
	slices.SortFunc(order, func(a, b float64) int {
		switch d := math.Abs(a) - math.Abs(b); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	sum := func(positive func(i int) bool) int {
		w := 0
		for i := range order {
			if positive(i) {
				w += i + 1
			}
		}
		return w
	}
	observed := sum(func(i int) bool { return order[i] > 0 })
	patterns, atLeast := 1<<len(x), 0
	for p := range patterns {
		if sum(func(i int) bool { return p>>i&1 == 1 }) >= observed {
			atLeast++
		}
	}
	return float64(atLeast) / float64(patterns)
}

// unpairedT stops after patience ranks that Welch's t-test does not show better than the best so far at the 5 % level.
func unpairedT(l ladder) call {
	best, waited := 0, 0
	for r := 1; r < rungs; r++ {
		waited++
		if welch(l.y[best][:l.seeds], l.y[r][:l.seeds]) < .05 {
			best, waited = r, 0
		}
		if waited >= patience {
			return l.climbed(claimPlateau, best, r+1)
		}
	}
	return l.climbed(claimNone, best, rungs)
}

// welch is the one-sided p-value that b's mean is below a's (Welch 1947, with Satterthwaite's degrees of freedom); 1 where
// one value each leaves nothing to test.
func welch(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return 1
	}
	va, vb := stat.Variance(a, nil)/float64(len(a)), stat.Variance(b, nil)/float64(len(b))
	if va+vb == 0 {
		return 1
	}
	nu := (va + vb) * (va + vb) / (va*va/float64(len(a)-1) + vb*vb/float64(len(b)-1))
	return distuv.StudentsT{Sigma: 1, Nu: nu}.Survival((stat.Mean(a, nil) - stat.Mean(b, nil)) / math.Sqrt(va+vb))
}

// oneStandardError trains every rank and takes the lowest whose mean is within one standard error of the best one's
// (Breiman et al. 1984, section 3.4.3; ESL section 7.10). It claims a plateau where patience ranks lie beyond.
func oneStandardError(l ladder) call {
	m := l.means()
	best := lowest(m)
	within := m[best]
	if l.seeds > 1 {
		within += stat.StdErr(stat.StdDev(l.y[best][:l.seeds], nil), float64(l.seeds))
	}
	rung := slices.IndexFunc(m, func(x float64) bool { return x <= within })
	if rung+patience < rungs {
		return l.climbed(claimPlateau, rung, rungs)
	}
	return l.climbed(claimNone, rung, rungs)
}

// kneedle trains every rank and takes the knee of the means over log2 rank (Satopää et al. 2011, without smoothing, with
// sensitivity 1): the first maximum of the normalised fall minus the normalised rank after which it drops by a mean step
// before it rises again.
func kneedle(l ladder) call {
	m := l.means()
	low, high := slices.Min(m), slices.Max(m)
	difference := make([]float64, rungs)
	for r := range difference {
		difference[r] = (high-m[r])/(high-low) - float64(r)/float64(rungs-1)
	}
	step := 1 / float64(rungs-1)
	knee := -1
	for r := range rungs {
		isMaximum := r > 0 && r < rungs-1 && difference[r] > difference[r-1] && difference[r] >= difference[r+1]
		switch {
		case isMaximum:
			knee = r
		case knee >= 0 && difference[r] < difference[knee]-step:
			return l.climbed(claimPlateau, knee, rungs)
		case knee >= 0 && difference[r] > difference[r-1]:
			knee = -1
		}
	}
	return l.climbed(claimNone, lowest(m), rungs)
}

// lowest is the index of the lowest value; the first among equals.
func lowest(x []float64) int {
	best := 0
	for i, v := range x {
		if v < x[best] {
			best = i
		}
	}
	return best
}
