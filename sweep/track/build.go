package track

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func ofSweep(info sweep.Info) Sweep {
	return Sweep{Name: info.Name, Key: info.Name + "@" + info.Created.UTC().Format(time.RFC3339Nano)}
}

// sweepRun shows a sweep by its grid and its verdicts.
func sweepRun(f Facts) Run {
	r := Run{
		Sweep: ofSweep(f.Sweep), Name: f.Sweep.Name, Status: Running, Started: f.Sweep.Created,
		Params: []Field{
			{Name: "strategy", Value: string(f.Sweep.Strategy)},
			{Name: "seeds", Value: JSON(f.Sweep.Seeds)},
			{Name: "patience", Value: strconv.Itoa(f.Sweep.Rule.Patience)},
			{Name: "confidence", Value: number(f.Sweep.Rule.Confidence)},
			{Name: "backend", Value: f.Sweep.Backend},
		},
	}
	if f.Done {
		r.Status, r.Ended = Finished, lastWord(f.Snapshot)
	}
	for i, v := range f.Verdicts {
		prefix := ""
		if len(f.Verdicts) > 1 {
			prefix = fmt.Sprintf("ladder_%d.", i+1)
			r.Tags = append(r.Tags, Field{Name: prefix + "cell", Value: f.Ladders[i].Cell.Axes().String()})
		}
		r.Tags = append(r.Tags, Field{Name: prefix + "verdict", Value: string(v.State)})
		if v.RecommendedRank > 0 {
			r.Tags = append(r.Tags, Field{Name: prefix + "recommended_rank", Value: strconv.Itoa(v.RecommendedRank)})
		}
		if v.Probability != nil {
			r.Tags = append(r.Tags, Field{Name: prefix + "probability", Value: number(*v.Probability)})
		}
		r.Tags = append(r.Tags, Field{Name: prefix + "reason", Value: prose.Reason(v)})
	}
	r.version = fmt.Sprint(r.Status, r.Tags)
	return r
}

// lastWord is when the last event of a sweep was reported.
func lastWord(s sweep.Snapshot) time.Time {
	last := s.Sweep.Created
	eachBegun(s, func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		if at := t.Attempts[len(t.Attempts)-1].LastAt; at.After(last) {
			last = at
		}
	})
	return last
}

// version tells whether anything of a trial has changed.
func version(f Facts, t *sweep.TrialFacts) string {
	var events int64
	for _, a := range t.Attempts {
		events += a.LastSeq
	}
	return fmt.Sprint(len(t.Attempts), events, statusOf(f, t))
}

func statusOf(f Facts, t *sweep.TrialFacts) Status {
	switch state := t.State(); {
	case state == sweep.TrialDone:
		return Finished
	case state.Lost():
		return Failed
	case f.Done:
		return Stopped
	}
	return Running
}

// trialRun shows a trial.
func trialRun(f Facts, l *sweep.Ladder, rung int, t *sweep.TrialFacts, events []sweep.CurveEvent) Run {
	kind, spec := "rung", t.Trial.Spec()
	switch {
	case rung == sweep.NoRung:
		kind = "reference"
	case spec.Shrink != nil:
		kind = "scout"
	}
	r := Run{
		Sweep: ofSweep(f.Sweep), Trial: t.Trial.ID, Status: statusOf(f, t), Started: t.Attempts[0].Intended, Step: t.LastStep,
		Points: points(sweep.Curve(events)),
		Tags: []Field{
			{Name: "sweep", Value: f.Sweep.Name},
			{Name: "ladder", Value: strconv.Itoa(l.Index + 1)},
			{Name: "kind", Value: kind},
			{Name: "trial", Value: string(t.Trial.ID)},
			{Name: "state", Value: string(t.State())},
		},
	}
	if r.Status != Running {
		r.Ended = t.Attempts[len(t.Attempts)-1].LastAt
	}
	if o := t.Final(); o != nil {
		r.Summary = summary(o, t)
		if o.Error != "" {
			r.Tags = append(r.Tags, Field{Name: "error", Value: o.Error})
		}
	}
	own := []Field{
		{Name: "rank", Value: strconv.Itoa(spec.LoRA.Rank), Axis: true}, {Name: "seed", Value: strconv.FormatInt(spec.Seed, 10), Axis: true},
	}
	for _, s := range l.Cell.Axes() {
		own = append(own, Field(s))
	}
	if t.Candidate < len(l.Candidates) {
		for _, s := range l.Candidates[t.Candidate] {
			own = append(own, Field{Name: s.Name, Value: s.Value, Axis: true})
		}
	}
	if rung == sweep.NoRung {
		own = append(own, Field{Name: "learning_rate", Value: number(spec.Train.LearningRate), Axis: true})
	}
	r.Name = name(kind, own, t.Trial.ID)
	r.Params = append(unique(own), settings(spec)...)
	return r
}

// unique keeps the first field of each name.
func unique(fields []Field) []Field {
	var kept []Field
	for _, f := range fields {
		if !slices.ContainsFunc(kept, func(k Field) bool { return k.Name == f.Name }) {
			kept = append(kept, f)
		}
	}
	return kept
}

// name is what tells a trial apart, and the beginning of its id.
func name(kind string, own []Field, id trial.ID) string {
	var parts []string
	if kind != "rung" {
		parts = append(parts, kind)
	}
	for _, f := range unique(own) {
		parts = append(parts, f.Name+"="+f.Value)
	}
	const short = 8
	return strings.Join(parts, " ") + " " + string(id)[:min(short, len(id))]
}

// summary is what came of a trial.
func summary(o *trial.Outcome, t *sweep.TrialFacts) []Value {
	if o.ValLoss == nil || o.State != trial.OutcomeDone {
		return nil
	}
	values := []Value{{"best_val_loss", *o.ValLoss}, {"best_step", float64(o.BestStep)}, {"train_seconds", o.TrainSeconds}}
	if o.TrainLoss != nil {
		values = append(values, Value{"final_train_loss", *o.TrainLoss})
	}
	return append(values, Value{"trainable_params", float64(t.TrainableParams)})
}

// points are the numbers of a trial's curve.
func points(curve []sweep.CurveEvent) []Point {
	var all []Point
	var before sweep.CurveEvent // the event before, of any kind
	var tokens int64            // at the step before, of the same attempt; -1: not known
	for _, e := range curve {
		p := Point{Attempt: e.Attempt, Kind: e.Kind, Step: e.Step, At: e.At}
		if e.Attempt != before.Attempt {
			tokens = -1
		}
		switch {
		case e.Point != nil:
			p.Values = []Value{
				{"train_loss", e.Point.TrainLoss},
				{"grad_norm", e.Point.GradNorm},
				{"learning_rate", e.Point.LearningRate},
				{"tokens", float64(e.Point.Tokens)},
			}
			if seconds := e.At.Sub(before.At).Seconds(); tokens >= 0 && seconds > 0 {
				p.Values = append(p.Values, Value{"tokens_per_second", float64(e.Point.Tokens-tokens) / seconds})
			}
			tokens = e.Point.Tokens
		case e.Evaluation != nil:
			p.Values = []Value{{"val_loss", e.Evaluation.ValLoss}}
			for _, m := range trial.AllMeasures() {
				if v := m.Of(e.Evaluation.Measures); v != nil {
					p.Values = append(p.Values, Value{m.Name, *v})
				}
			}
		case e.Memory != nil:
			if b := e.Memory.PeakHostBytes; b != nil {
				p.Values = append(p.Values, Value{"peak_host_bytes", float64(*b)})
			}
			if b := e.Memory.PeakDeviceBytes; b != nil {
				p.Values = append(p.Values, Value{"peak_device_bytes", float64(*b)})
			}
		}
		before = e
		all = append(all, p)
	}
	return all
}

// settings are a spec's fields by their names in JSON, those within others as lora.r.
func settings(spec trial.Spec) []Field {
	body, err := json.Marshal(spec)
	if err != nil {
		panic(err) // it has an identity, which is made of this
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		panic(err) // it was written just now
	}
	delete(tree, "seed") // it stands beside the rank
	var fields []Field
	flatten("", tree, &fields)
	return fields
}

func flatten(prefix string, tree map[string]any, fields *[]Field) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		switch v := tree[key].(type) {
		case map[string]any:
			if prefix != "" { // its keys are a person's
				*fields = append(*fields, Field{Name: prefix + key, Value: JSON(v)})
				continue
			}
			flatten(key+".", v, fields)
		case string:
			*fields = append(*fields, Field{Name: prefix + key, Value: v})
		default:
			*fields = append(*fields, Field{Name: prefix + key, Value: JSON(v)})
		}
	}
}

// JSON is a value as JSON.
func JSON(v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // it came from JSON, or is text, finite numbers or a list of them
	}
	return string(body)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
