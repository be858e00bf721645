package report

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// twoSweeps are one ladder each, of which the second has another dropout, more ranks and fewer seeds.
func twoSweeps() (a, b sweep.Snapshot) {
	a = fixture{name: "plain", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{"0", measured(3.2, 3.1, 3.05), "corpus"}}}.snapshot()
	losses := measured(3.19, 3.05, 3.04, 3.03)
	b = fixture{name: "dropped", seeds: []int64{0, 1, 3}, ladders: []fixtureLadder{{"0.1", losses, "corpus"}}}.snapshot()
	for i, r := range b.Ladders[0].Rungs { // pairs that agree less and less
		at := r.Trials[0].Final().ValLoss
		*at += float64(i*i) * 0.002
	}
	for _, r := range b.Ladders[0].Rungs {
		for i := range r.Trials { // twice the memory
			r.Trials[i].Memory.PeakHostBytes = new(2 * *r.Trials[i].Memory.PeakHostBytes)
		}
	}
	return a, b
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a, b := twoSweeps()
	d, err := NewDiff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := d.Text(&text, Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "diff.txt", text.Bytes())
	wantSettings := []DiffSetting{
		{"dropout", []string{"0"}, []string{"0.1"}},
		{"rank", []string{"1", "2", "4"}, []string{"1", "2", "4", "8"}},
		{"seeds", []string{"0", "1", "2"}, []string{"0", "1", "3"}},
	}
	if diff := cmp.Diff(wantSettings, d.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	wantA := []DiffOnly{{1, d.Ladders[0].Cell, 1, []int64{2}}, {1, d.Ladders[0].Cell, 2, []int64{2}}, {1, d.Ladders[0].Cell, 4, []int64{2}}}
	if diff := cmp.Diff(wantA, d.A.Only); diff != "" {
		t.Errorf("only in A (-want +got):\n%s", diff)
	}
	if last := d.B.Only[len(d.B.Only)-1]; len(d.B.Only) != 4 || last.Rank != 8 || !cmp.Equal(last.Seeds, []int64{0, 1, 3}) {
		t.Errorf("only in B: %+v", d.B.Only)
	}
}

// TestDiffNumbers compares with values worked out by hand: losses 3.2 and 3.0 against 3.1 and 2.8 differ by -0.1 and -0.2.
func TestDiffNumbers(t *testing.T) {
	t.Parallel()
	make := func(name, dropout string, losses ...float64) sweep.Snapshot {
		return fixture{
			name: name, seeds: []int64{0, 1},
			ladders: []fixtureLadder{{dropout, []rung{{rank: 1, train: 3, losses: losses}}, "corpus"}},
		}.snapshot()
	}
	a, b := make("a", "0", 3.2, 3.0), make("b", "0.1", 3.1, 2.8)
	d, err := NewDiff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	const student = 12.706204736 // at 0.975 with one degree of freedom
	half := student * math.Sqrt(0.005) / math.Sqrt2
	got := d.Ladders[0].Ranks[0]
	for what, pair := range map[string][2]float64{
		"A": {got.ValLossA, 3.1}, "B": {got.ValLossB, 2.95}, "mean": {got.Difference.Mean, -0.15},
		"lo": {*got.Difference.Lo, -0.15 - half}, "hi": {*got.Difference.Hi, -0.15 + half},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-6 {
			t.Errorf("%s = %v, want %v", what, pair[0], pair[1])
		}
	}
	if got.SameTrials != 0 || *got.PeakBytes != 0 || got.PeakMeasurable || *got.TrainSeconds != 0 || got.SecondsMeasurable {
		t.Errorf("equal costs are told apart: %+v", got)
	}
	back, err := NewDiff(b, a)
	if err != nil || back.Ladders[0].Ranks[0].Difference.Mean != -got.Difference.Mean {
		t.Errorf("the other way round: %+v, %v", back, err)
	}
}

// TestDiffOfItself: a sweep differs from itself in nothing, and its trials are the same.
func TestDiffOfItself(t *testing.T) {
	t.Parallel()
	a, _ := twoSweeps()
	d, err := NewDiff(a, a)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Settings) != 0 || len(d.A.Only) != 0 || len(d.B.Only) != 0 || len(d.Ladders[0].Ranks) != 3 {
		t.Errorf("diff of itself: %+v", d)
	}
	for _, r := range d.Ladders[0].Ranks {
		if r.SameTrials != 3 || r.Difference.Mean != 0 || *r.Difference.Lo != 0 {
			t.Errorf("rank %d: %+v", r.Rank, r)
		}
	}
}

// TestDiffPairsAxes: ladders are paired by their axis wherever they stand, and others are only in one.
func TestDiffPairsAxes(t *testing.T) {
	t.Parallel()
	losses := measured(3.2, 3.1)
	a := fixture{name: "a", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{"0", losses, "c"}, {"0.1", losses, "c"}}}.snapshot()
	b := fixture{name: "b", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{"0.1", losses, "c"}}}.snapshot()
	d, err := NewDiff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Ladders) != 1 || d.Ladders[0].LadderA != 2 || d.Ladders[0].LadderB != 1 || d.Ladders[0].Ranks[0].SameTrials != 3 {
		t.Errorf("paired: %+v", d.Ladders)
	}
	if len(d.A.Only) != 2 || d.A.Only[0].Ladder != 1 || len(d.B.Only) != 0 {
		t.Errorf("only in A: %+v, in B: %+v", d.A.Only, d.B.Only)
	}
	if want := []DiffSetting{{"dropout", []string{"0", "0.1"}, []string{"0.1"}}}; !cmp.Equal(want, d.Settings) {
		t.Errorf("settings: %+v", d.Settings)
	}
}

// TestDiffRefuses: what does not compare is said, not subtracted.
func TestDiffRefuses(t *testing.T) {
	t.Parallel()
	losses := measured(3.2, 3.1)
	one := func(dropout, corpus string) sweep.Snapshot {
		return fixture{name: "s" + corpus, seeds: []int64{0}, ladders: []fixtureLadder{{dropout, losses, corpus}}}.snapshot()
	}
	two := fixture{name: "two", seeds: []int64{0}, ladders: []fixtureLadder{{"0.2", losses, "c"}, {"0.3", losses, "c"}}}.snapshot()
	empty := one("0", "c")
	empty.Ladders = nil
	for name, test := range map[string]struct {
		a, b sweep.Snapshot
		want string
	}{
		"another corpus": {one("0", "c"), one("0", "other"), "sc and sother: ladders 1 and 1 were scored on other validation tokens"},
		"no common cell": {two, one("0.1", "c"), "no cell of two is one of sc: the first are dropout=0.2 and dropout=0.1"},
		"not begun":      {one("0", "c"), empty, "sweep sc has no ladders yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewDiff(test.a, test.b)
			if !errors.Is(err, ErrIncomparable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("NewDiff: %v, want %q", err, test.want)
			}
		})
	}
}

// TestDiffOfOtherTrainingData: validation rows that are known to be the same are compared, whatever was trained on.
func TestDiffOfOtherTrainingData(t *testing.T) {
	t.Parallel()
	on := func(corpus, rows string) sweep.Snapshot {
		s := fixture{name: "s" + corpus, seeds: []int64{0}, ladders: []fixtureLadder{{"0", measured(3.2, 3.1), corpus}}}.snapshot()
		s.Ladders[0].Corpus.ValidationRows = rows
		return s
	}
	const earlier = "an earlier version registered"
	for name, tt := range map[string]struct {
		a, b sweep.Snapshot
		want string // of the error; empty where they compare
	}{
		"the same rows":                {on("c", "v"), on("other", "v"), ""},
		"the same data, one earlier":   {on("c", "v"), on("c", ""), ""},
		"other rows":                   {on("c", "v"), on("other", "w"), "do not compare"},
		"other data, one earlier":      {on("c", "v"), on("other", ""), earlier},
		"other data, both are earlier": {on("c", ""), on("other", ""), earlier},
	} {
		d, err := NewDiff(tt.a, tt.b)
		if tt.want == "" && (err != nil || len(d.Ladders[0].Ranks) != 2) {
			t.Errorf("%s: NewDiff: %v, %+v, want both ranks compared", name, err, d.Ladders)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) ||
			strings.Contains(err.Error(), earlier) != (tt.want == earlier)) {
			t.Errorf("%s: NewDiff: %v, want %q", name, err, tt.want)
		}
	}
}

// TestDiffOfTwoMachines: memory of a GPU and of a CPU is not subtracted, and settings of trials beside their cell are told.
func TestDiffOfTwoMachines(t *testing.T) {
	t.Parallel()
	a, b := twoSweeps()
	b.Sweep.Backend = "xla:cuda"
	for _, r := range b.Ladders[0].Rungs {
		for i := range r.Trials {
			r.Trials[i].Memory.PeakDeviceBytes = new(int64(1 << 30))
			spec := r.Trials[i].Trial.Spec()
			spec.Train.Steps = 500
			r.Trials[i].Trial = trial.New(spec, "base", "corpus", "xla:cuda").Brief()
		}
	}
	d, err := NewDiff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Ladders[0].Ranks[0]; got.PeakBytes != nil || got.PeakMeasurable {
		t.Errorf("memory of two kinds is subtracted: %+v", got)
	}
	var names []string
	for _, s := range d.Settings {
		names = append(names, s.Name+"="+strings.Join(s.B, ","))
	}
	if want := []string{"backend=xla:cuda", "dropout=0.1", "rank=1,2,4,8", "seeds=0,1,3", "train.steps=500"}; !cmp.Equal(want, names) {
		t.Errorf("settings (-want +got):\n%s", cmp.Diff(want, names))
	}
}
