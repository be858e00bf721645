// Package plateau is the rule that says when a larger rank stops paying: losses in, a verdict of codes and numbers out.
//
// Words: a rung is one rank with a loss per seed; the incumbent b is the rank to beat; a rung's gain is what it won over b, paired by
// seed; a strike is a rung that is unlikely to gain min_gain; patience is how many strikes in a row end the climb. The claim is
// statistical (variances moderated over the ladder, after Smyth 2004), the stop economic.
//
// Judge looks at all rungs at once. Climb takes them one by one, as a sweep trains them, and says whether to go on:
//
//	v, err := plateau.DefaultRule().Judge([]plateau.Losses{
//		{Rank: 1, Seeds: seeds, ValLoss: []float64{4.81, 4.79, 4.80}, Complete: true},
//		{Rank: 2, Seeds: seeds, ValLoss: []float64{4.62, 4.60, 4.61}, Complete: true},
//	})
//	fmt.Println(v.State, v.RecommendedRank)
//
// Where things are: the strike's probability in judge.go; a gain and its interval in gain.go; the noise that seeds show in
// noise.go, and its trend over the ranks in variance.go; what seeds can tell in power.go; whether losses are accuracies in
// accuracy.go; which cells lose a race in race.go; where a screened ladder bends in screening.go; what ends a climb and what draws
// seeds in draw.go; the verdict's state in sum.go; its reason and advice, as codes, in reason.go and finding.go. Sentences are
// made by package report/prose. How often the rule is right: experiments/calibrate. Every change of the rule raises Version. The
// package imports nothing of ours.
package plateau
