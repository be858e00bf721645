package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// referredSnapshot is a plateau at rank 16 with a reference of two learning rates that end so far below the rank's losses.
func referredSnapshot(below ...float64) sweep.Snapshot {
	rungs := measured(4.793, 4.712, 4.630, 4.570, 4.540, 4.539, 4.538)
	s := fixture{name: "referred", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{dropout: "0", rungs: rungs}}}.snapshot()
	l := &s.Ladders[0]
	for c, gain := range below {
		losses := make([]float64, 3)
		for j, loss := range rungs[4].losses {
			losses[j] = loss - gain + 0.001*float64(j-1)
		}
		r := rung{rank: 1, losses: losses, train: 4.4}
		for j, seed := range s.Sweep.Seeds {
			f := r.trial(j, seed, fixtureLadder{dropout: "0"})
			spec := f.Trial.Spec()
			spec.LoRA, spec.Train.LearningRate = spec.LoRA.Whole(), []float64{1e-4, 1e-5}[c]
			f.Trial, f.Candidate, f.TrainableParams = trial.New(spec, "base", "", "xla:cpu").Brief(), c, 196608
			l.Reference = append(l.Reference, f)
		}
	}
	return s
}

// TestReference: full fine-tuning stands below the ranks, with what the recommended one leaves on the table, and nowhere else.
func TestReference(t *testing.T) {
	t.Parallel()
	r := Build(referredSnapshot(0.02, 0.05))
	golden(t, "reference.txt", text2(t, r, Options{Width: 120}))
	ref := r.Ladders[0].Reference
	if ref.LearningRate != 1e-5 || len(ref.Trials) != 3 || math.Abs(ref.Gain.Mean-0.05) > 1e-9 ||
		*ref.Gain.Lo >= 0.05 || *ref.Gain.Hi <= 0.05 {
		t.Errorf("reference %+v, gain %+v", ref, ref.Gain)
	}
	if diff := cmp.Diff([]float64{1e-4, 1e-5}, ref.Tried); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
	plain := Build(referredSnapshot())
	for name, parts := range map[string][2]any{
		"recommendation": {plain.Recommendation, r.Recommendation}, "axes": {plain.Axes, r.Axes},
		"verdict": {plain.Ladders[0].Verdict, r.Ladders[0].Verdict}, "rungs": {plain.Ladders[0].Rungs, r.Ladders[0].Rungs},
	} {
		want, _ := json.Marshal(parts[0])
		got, err := json.Marshal(parts[1])
		if diff := cmp.Diff(string(want), string(got)); err != nil || diff != "" {
			t.Errorf("%s (-without +with a reference): %v\n%s", name, err, diff)
		}
	}
	if plain.Ladders[0].Reference != nil {
		t.Errorf("a ladder without has %+v", plain.Ladders[0].Reference)
	}
	worse := Build(referredSnapshot(-0.03)).Ladders[0].Reference.text(0.02)
	if !strings.Contains(worse, "full fine-tuning at learning rate 0.0001 reaches 4.570: rank 16 is better by 0.030 [") {
		t.Errorf("a worse one: %s", worse)
	}
}

// TestReferenceAsCSV: below a ladder's ranks each trial of its reference has a row, with its own learning rate and no alpha.
func TestReferenceAsCSV(t *testing.T) {
	t.Parallel()
	rows := func(r Report) (lines []string) {
		var b bytes.Buffer
		if err := r.CSV(&b); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
	plain, got := rows(Build(referredSnapshot())), rows(Build(referredSnapshot(0.02, 0.05)))
	if diff := cmp.Diff(plain, got[:len(plain)]); diff != "" {
		t.Errorf("header and ranks (-without +with a reference):\n%s", diff)
	}
	columns := func(line string) map[string]string {
		values := map[string]string{}
		cells := strings.Split(line, ",")
		for i, name := range strings.Split(plain[0], ",") {
			values[name] = cells[i]
		}
		return values
	}
	reference := got[len(plain):]
	if len(reference) != 6 {
		t.Fatalf("%d rows of the reference:\n%s", len(reference), strings.Join(reference, "\n"))
	}
	for i, line := range reference {
		v, rate := columns(line), []string{"0.0001", "1e-05"}[i/3]
		if v["rank"] != "full" || v["seed"] != strconv.Itoa(i%3) || v["decision"] != "reference" || v["learning_rate"] != rate ||
			v["tuned"] != "learning_rate="+rate || v["alpha"] != "" || v["dropout"] != "0" || v["val_loss"] == "" ||
			v["trainable_params"] != "196608" || v["recommended_rank"] != "16" {
			t.Errorf("row %d of the reference: %v", i, v)
		}
	}
}

// TestReferenceOnCards: a model card shows the reference as the report does, and counts what it took.
func TestReferenceOnCards(t *testing.T) {
	t.Parallel()
	plain, r := Build(referredSnapshot()), Build(referredSnapshot(0.02, 0.05))
	text := func(r Report) string { return card(t, r, r.Ladders[0], r.Ladders[0].Rungs[4].Trials[1].ID, Card{}) }
	for _, part := range []string{
		"| full | 4.490 | 0.050 [0.048, 0.052] | 16 | reference | - | 196 608 | 410 MiB | 430 MiB | 6.3s | 126 000 |\n\n" +
			"The reference: full fine-tuning at learning rate 1e-05 (the best of 0.0001 and 1e-05) reaches 4.490: rank 16 leaves 0.050 " +
			"[0.048, 0.052] on the table.\n\nLosses are means",
		"All 27 trials of the sweep",
	} {
		if !strings.Contains(text(r), part) {
			t.Errorf("the card lacks %q:\n%s", part, text(r))
		}
	}
	if without := text(plain); strings.Contains(without, "full") || !strings.Contains(without, "All 21 trials") {
		t.Errorf("the card of a ladder without a reference:\n%s", without)
	}
}

func TestReferenceWithoutResult(t *testing.T) {
	t.Parallel()
	s := referredSnapshot(0.02)
	trials := s.Ladders[0].Reference
	trials[1].Attempts = nil
	if ref := Build(s).Ladders[0].Reference; ref.ValLoss != nil || ref.Gain != nil || len(ref.Trials) != 3 ||
		!strings.Contains(ref.text(0.02), "no result yet") {
		t.Errorf("one seed waits: %+v: %s", ref, ref.text(0.02))
	}
	for i := range trials {
		trials[i].Attempts = nil
	}
	if ref := Build(s).Ladders[0].Reference; ref != nil {
		t.Errorf("none has begun: %+v", ref)
	}
	needs := trial.Outcome{State: trial.OutcomeOverMemory, Error: "full fine-tuning needs 9 GiB"}
	trials[0].Attempts = []sweep.AttemptFacts{{Number: 1, Outcome: &needs}}
	r := Build(s)
	if text := r.Ladders[0].Reference.text(0.02); !strings.Contains(text, "is over_memory: full fine-tuning needs 9 GiB") {
		t.Errorf("it does not fit: %s", text)
	}
	if v := r.Ladders[0].Verdict; v.State != plateau.StatePlateau {
		t.Errorf("verdict %s", v.State)
	}
}
