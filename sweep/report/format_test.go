package report

import (
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 1070000: "1 070 000", -1234: "-1 234"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0ms", 850 * time.Millisecond: "850ms", 999600 * time.Microsecond: "1.0s", 12340 * time.Millisecond: "12.3s",
		6350 * time.Millisecond:  "6.4s",
		59960 * time.Millisecond: "1m00s", 245 * time.Second: "4m05s", 127 * time.Minute: "2h07m",
		time.Hour - time.Millisecond: "1h00m", -time.Second: "-1.0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.003: "0.003", 2e-5: "2e-05", 16: "16", 1234.5: "1234.5", 1 << 20: "1048576"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

// TestConditionsSayEpochs: steps alone do not say how often a row was seen.
func TestConditionsSayEpochs(t *testing.T) {
	t.Parallel()
	for epochs, want := range map[float64]string{
		0:      "250 steps, 900 supervised tokens seen per trial",
		0.0213: "250 steps (0.0213 epochs), 900 supervised tokens seen per trial",
		1:      "250 steps (1 epoch), 900 supervised tokens seen per trial",
		2.6789: "250 steps (2.68 epochs), 900 supervised tokens seen per trial",
		1234.5: "250 steps (1234 epochs), 900 supervised tokens seen per trial",
	} {
		c := Conditions{Alpha: "16", Scaling: "alpha/r", Scheduler: "linear", Steps: 250, Epochs: epochs, Tokens: 900}
		if got := strings.ReplaceAll(c.String(), noBreak, " "); !strings.HasSuffix(got, want) {
			t.Errorf("%v epochs: %q, want its end to be %q", epochs, got, want)
		}
	}
}

// TestNoise: a ratio of variances needs two of them. Paired differences that are all the same leave rounding for the second.
func TestNoise(t *testing.T) {
	t.Parallel()
	rungs := func(y ...[]float64) []plateau.Losses {
		var all []plateau.Losses
		for i, losses := range y {
			all = append(all, plateau.Losses{Rank: 1 << i, Seeds: []int64{0, 1, 2}, ValLoss: losses, Complete: true})
		}
		return all
	}
	for name, test := range map[string]struct {
		rungs []plateau.Losses
		want  string
	}{
		"the same differences": {
			rungs([]float64{4.1, 4.2, 4.4}, []float64{4.0, 4.1, 4.3}),
			"a loss varies by 0.15 over seeds, and not at all once what they share is removed",
		},
		"seeds share nothing": {
			rungs([]float64{4.1, 4.2, 4.3}, []float64{4.2, 4.1, 4.0}),
			"a loss varies by 0.1 over seeds, and by 0.14 once what they share is removed: pairing by seed gained nothing here (variance ratio 0.5)",
		},
	} {
		if got := NoiseOf(test.rungs); got == nil || got.String() != test.want {
			t.Errorf("%s: %v, want %s", name, got, test.want)
		}
	}
}

// TestClaimNamesItsRank: a plateau is one over the incumbent, which the recommended rank beside it need not be.
func TestClaimNamesItsRank(t *testing.T) {
	t.Parallel()
	for state, want := range map[plateau.State]string{plateau.StateLikelyPlateau: " over rank 32", plateau.StateInconclusive: ""} {
		if got := (Verdict{State: state, RecommendedRank: new(8), IncumbentRank: new(32)}).over(); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
	if got := (Verdict{State: plateau.StatePlateau, RecommendedRank: new(8)}).over(); got != "" {
		t.Errorf("the recommended rank's own plateau: %q", got)
	}
}
