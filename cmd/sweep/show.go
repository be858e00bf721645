package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show TRIAL",
		Short: "Show everything known about one trial",
		Long: `show prints a trial's settings, the curves of its losses, where it serves, every attempt with where it ran (on a cluster: as
which job), how it ended and what it needed, and the files it left. TRIAL is an id as sweep status prints it, or the beginning of one.`,
		Example: `  sweep show 3fa1
  sweep show 3fa1c2d4e5f60718 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.show(cmd.Context(), args[0]) },
	}
}

// shownTrial is what show prints.
type shownTrial struct {
	ID       trial.ID       `json:"id"`
	State    string         `json:"state" values:"sweep.TrialState"`
	Spec     trial.Spec     `json:"spec"`
	Base     string         `json:"base_fingerprint"`
	Data     string         `json:"data_fingerprint"`
	Backend  string         `json:"backend"`
	Places   []shownPlace   `json:"places"`
	Result   *trial.Outcome `json:"result"`  // of the attempt that ended the trial
	Metrics  *shownMetrics  `json:"metrics"` // of a done trial, at its best step
	Attempts []shownAttempt `json:"attempts"`
	Files    []shownFile    `json:"files"`
}

// shownMetrics are other measures of the same evaluation: those that ranks are compared by.
type shownMetrics struct {
	Perplexity float64
	trial.Measures
}

// MarshalJSON writes the metrics in the order of tables, and null for what was not measured.
func (m shownMetrics) MarshalJSON() ([]byte, error) {
	perplexity, err := json.Marshal(m.Perplexity)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, `{"perplexity":%s`, perplexity)
	for _, x := range judgedMeasures() {
		value, err := json.Marshal(x.Of(m.Measures))
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, `,%q:%s`, x.Name, value)
	}
	return append(b, '}'), nil
}

func judgedMeasures() []trial.Measure {
	return slices.DeleteFunc(trial.AllMeasures(), func(m trial.Measure) bool { return !m.Judged })
}

type shownPlace struct {
	Sweep  string `json:"sweep"`
	Ladder int64  `json:"ladder"` // id in the database's views
	Rank   int    `json:"rank"`   // 0 of full fine-tuning
	Seed   int64  `json:"seed"`
}

type shownAttempt struct {
	Number         int                `json:"number"`
	Folder         string             `json:"folder"`
	Job            *shownJob          `json:"job"`
	State          string             `json:"state" values:"trial.OutcomeState,running"` // its outcome's, or running
	Intended       time.Time          `json:"intended"`
	LastHeard      *time.Time         `json:"last_heard"`
	Events         int64              `json:"events"`
	CheckpointStep *int               `json:"checkpoint_step"`
	ResumedFrom    *int               `json:"resumed_from"`
	Environment    *trial.Environment `json:"environment"`
	Prediction     *trial.Prediction  `json:"prediction"`
	Memory         trial.Memory       `json:"memory"`
	Outcome        *trial.Outcome     `json:"outcome"`
}

// shownJob is the job of a cluster that an attempt was handed in as: Slurm's of the batch's name, a task of its array where it has several,
// or Ray's submission BATCH-INDEX. Pilots take attempts from a batch that no queue knows.
type shownJob struct {
	Batch string `json:"batch"`
	Index int    `json:"index"`
}

type shownFile struct {
	Path  string `json:"path"` // absolute
	Bytes int64  `json:"bytes"`
}

func (a *app) show(ctx context.Context, prefix string) error {
	var train, validation []trial.StepTrainLoss
	record, err := readTrial(ctx, a, prefix, func(db *store.DB, r store.TrialRecord) (err error) {
		train, validation, err = curves(ctx, db, &r.TrialFacts)
		return err
	})
	if err != nil {
		return err
	}
	files, err := trialFiles(a.root, record.Trial.ID)
	if err != nil {
		return err
	}
	t := newShownTrial(a.root, record, files)
	return a.emit("show", t, func(w io.Writer) error {
		return writeTrial(w, t, curveLines(train, validation, cmp.Or(a.columns(), 80)))
	}, nil)
}

// curves returns a trial's losses by step: of every optimiser step, and of every evaluation.
func curves(ctx context.Context, db *store.DB, t *sweep.TrialFacts) (train, validation []trial.StepTrainLoss, err error) {
	points, err := db.Points(ctx, t.Trial.ID)
	for _, p := range points {
		train = append(train, trial.StepTrainLoss{Step: p.Step, TrainLoss: p.TrainLoss})
	}
	for _, e := range t.Evaluations {
		validation = append(validation, trial.StepTrainLoss{Step: e.Step, TrainLoss: e.ValLoss})
	}
	return train, validation, err
}

// curveLines draws the curves between their first and last values.
func curveLines(train, validation []trial.StepTrainLoss, columns int) string {
	var b strings.Builder
	for _, c := range []struct {
		name  string
		curve []trial.StepTrainLoss
	}{{"train_loss", train}, {"val_loss", validation}} {
		if len(c.curve) < 2 {
			continue
		}
		first, last := formatMeasured(&c.curve[0].TrainLoss), formatMeasured(&c.curve[len(c.curve)-1].TrainLoss)
		room := min(columns-len("train_loss")-len(first)-len(last)-3, 60)
		fmt.Fprintf(&b, "%-10s %s %s %s\n", c.name, first, sparkline(c.curve, max(room, 1)), last)
	}
	return b.String()
}

func newShownTrial(root string, r store.TrialRecord, files []shownFile) shownTrial {
	t := shownTrial{
		ID: r.Trial.ID, State: string(r.State()), Spec: r.Trial.Spec(), Base: r.Trial.Shared.Base, Data: r.Trial.Shared.Data,
		Backend: r.Trial.Shared.Backend, Places: []shownPlace{}, Result: r.Final(), Attempts: []shownAttempt{}, Files: files,
	}
	if t.Result != nil && t.Result.ValLoss != nil {
		t.Metrics = &shownMetrics{math.Exp(*t.Result.ValLoss), r.Best().Measures}
	}
	for _, p := range r.Places {
		t.Places = append(t.Places, shownPlace(p))
	}
	for _, l := range r.Launches {
		t.Attempts = append(t.Attempts, newShownAttempt(root, l))
	}
	return t
}

func newShownAttempt(root string, l store.Launch) shownAttempt {
	s := shownAttempt{
		Number: l.Number, Folder: l.ID.Dir(root), State: "running", Intended: l.Intended, Events: l.LastSeq,
		ResumedFrom: l.ResumedFrom, Environment: l.Environment, Prediction: l.Prediction, Memory: l.Memory, Outcome: l.Outcome,
	}
	if job := cluster.JobOf(s.Folder); job.Batch != "" {
		s.Job = &shownJob{job.Batch, job.Index}
	}
	if l.Outcome != nil {
		s.State = string(l.Outcome.State)
	}
	if !l.LastAt.IsZero() {
		s.LastHeard = &l.LastAt
	}
	if l.CheckpointStep >= 0 {
		s.CheckpointStep = &l.CheckpointStep
	}
	return s
}

// trialFiles lists the files below the trial's folder. A trial that never ran here has none.
func trialFiles(root string, id trial.ID) ([]shownFile, error) {
	files := []shownFile{}
	err := filepath.WalkDir(id.Dir(root), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed in the meantime, as a worker does with its temporary files
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			files = append(files, shownFile{Path: path, Bytes: info.Size()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the files of trial %s: %w", id, err)
	}
	return files, nil
}

// writeTrial prints t with lines that draw its curves.
func writeTrial(w io.Writer, t shownTrial, curves string) error {
	fmt.Fprintf(w, "trial %s: %s\n", t.ID, t.State)
	for _, p := range t.Places {
		rank := fmt.Sprintf("rank %d", p.Rank)
		if p.Rank == 0 {
			rank = "full fine-tuning"
		}
		fmt.Fprintf(w, "sweep %s, ladder id %d, %s, seed %d\n", p.Sweep, p.Ladder, rank, p.Seed)
	}
	if r := t.Result; r != nil && r.ValLoss != nil {
		fmt.Fprintf(w, "val_loss %s at step %d, mean train_loss %s since the evaluation before, %s supervised tokens, %s of training\n",
			formatMeasured(r.ValLoss), r.BestStep, formatMeasured(r.TrainLoss), report.Count(r.Tokens), report.Seconds(r.TrainSeconds))
	}
	if m := t.Metrics; m != nil {
		fmt.Fprintf(w, "perplexity %s at that step", formatMeasured(&m.Perplexity))
		for _, x := range judgedMeasures() {
			if v := x.Of(m.Measures); v != nil {
				fmt.Fprintf(w, ", %s %s", x.Title, formatMeasured(v))
			}
		}
		fmt.Fprintln(w)
	}
	if r := t.Result; r != nil && r.Forgetting() != nil {
		fmt.Fprintf(w, "retain_loss %s at that step, %s at step 0: forgetting %s\n", formatMeasured(r.RetainLoss), formatMeasured(r.BaseRetain),
			formatMeasured(r.Forgetting()))
	}
	fmt.Fprintln(w, curves)
	rows := specRows(t)
	if p, ok := w.(*sheet); ok && p.columns > 0 {
		settings := 0
		for _, row := range rows {
			settings = max(settings, len(row[0]))
		}
		for _, row := range rows {
			row[1] = ansi.Wrap(row[1], max(p.columns-settings-7, 8), "/,")
		}
	}
	if err := writeTable(w, []string{"setting", "value"}, rows); err != nil {
		return err
	}
	folder := ""
	for _, a := range t.Attempts {
		writeAttempt(w, a)
		folder = filepath.Dir(a.Folder)
	}
	if len(t.Files) > 0 {
		fmt.Fprintf(w, "\nfiles in %s\n", folder)
	}
	for _, f := range t.Files {
		fmt.Fprintf(w, "  %s (%s)\n", strings.TrimPrefix(f.Path, folder+string(filepath.Separator)), trial.FormatBytes(f.Bytes))
	}
	return nil
}

// specRows lists what makes the trial what it is.
func specRows(t shownTrial) [][]string {
	l, tr := t.Spec.LoRA, t.Spec.Train
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) } // as it was given
	computed := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	targets := l.TargetModules.Pattern
	if targets == "" {
		targets = strings.Join(l.TargetModules.List, ", ")
	}
	validation := strings.Join(t.Spec.Data.Validation, ", ")
	if validation == "" {
		validation = computed(t.Spec.Data.ValidationSplit*100) + " % of the documents"
	}
	data := strings.Join(t.Spec.Data.Train, ", ")
	if f := t.Spec.Data.Fraction; f > 0 {
		data = computed(f*100) + " % of the training documents of " + data
	}
	rows := [][]string{
		{"model", t.Spec.Model},
		{"data", data},
		{"validation", validation},
		{"sequence_length", strconv.Itoa(t.Spec.Data.SequenceLength)},
		{"target_modules", targets},
	}
	if retain := t.Spec.Data.Retain; len(retain) > 0 {
		rows = slices.Insert(rows, 3, []string{"retain", strings.Join(retain, ", ")})
	}
	if !l.Full {
		rows = slices.Insert(rows, len(rows)-1, []string{"rank", strconv.Itoa(l.Rank)},
			[]string{"alpha", fmt.Sprintf("%s (scaling %s)", float(l.Alpha), computed(l.Scaling()))}, []string{"dropout", float(l.Dropout)})
	}
	rows = append(rows, l.Settings()...)
	rows = append(rows, [][]string{
		{"steps", strconv.Itoa(tr.Steps) + afterCuts(t.Spec.Shrink)},
		{"batch_size", batchText(tr)},
		{"learning_rate", fmt.Sprintf("%s, %s, %d warm-up steps", float(tr.LearningRate), tr.LRSchedulerType, tr.WarmupSteps)},
		{"weight_decay", float(tr.WeightDecay)},
		{"max_grad_norm", float(tr.MaxGradNorm)},
		{"dtype", tr.Dtype},
		{"seed", strconv.FormatInt(t.Spec.Seed, 10)},
		{"backend", t.Backend},
	}...)
	if tr.Quantises() {
		rows = slices.Insert(rows, len(rows)-2, []string{"compute_dtype", tr.Computes()})
	}
	if tr.GradientCheckpointing {
		rows = slices.Insert(rows, len(rows)-2, []string{"gradient_checkpointing", "true"})
	}
	return rows
}

func writeAttempt(w io.Writer, a shownAttempt) {
	fmt.Fprintf(w, "\nattempt %d: %s, begun %s\n", a.Number, a.State, a.Intended.Format(time.RFC3339))
	if a.Outcome != nil && a.Outcome.Error != "" {
		fmt.Fprintf(w, "  %s\n", a.Outcome.Error)
	}
	if a.Job != nil {
		fmt.Fprintf(w, "  job %d of batch %s\n", a.Job.Index, a.Job.Batch)
	}
	if a.ResumedFrom != nil {
		fmt.Fprintf(w, "  continued from the checkpoint of step %d\n", *a.ResumedFrom)
	}
	if a.CheckpointStep != nil {
		fmt.Fprintf(w, "  latest checkpoint: step %d\n", *a.CheckpointStep)
	}
	if e := a.Environment; e != nil {
		fmt.Fprintf(w, "  process %d on %s, %s", e.PID, e.Host, e.Platform)
		if e.Device != "" {
			fmt.Fprintf(w, " (%s)", e.Device)
		}
		if e.PluginPath != "" {
			fmt.Fprintf(w, ", plug-in %s %s", e.PluginPath, e.PluginVersion)
		}
		fmt.Fprintf(w, ", %s trainable parameters\n", report.Count(e.TrainableParams))
	}
	if p := a.Prediction; p != nil {
		fmt.Fprintf(w, "  predicted memory: %s (%s)\n", trial.FormatBytes(p.PredictedBytes), p.Source)
	}
	if m := a.Memory; m.PeakHostBytes != nil {
		fmt.Fprintf(w, "  peak host memory: %s (%s)\n", trial.FormatBytes(*m.PeakHostBytes), m.HostSource)
	}
	if m := a.Memory; m.PeakDeviceBytes != nil {
		fmt.Fprintf(w, "  peak device memory: %s (%s)\n", trial.FormatBytes(*m.PeakDeviceBytes), m.DeviceSource)
	}
}

// batchText is how many sequences a step sees.
func batchText(t trial.TrainSpec) string {
	if t.GradientAccumulationSteps == 1 {
		return strconv.Itoa(t.BatchSize)
	}
	return fmt.Sprintf("%d, accumulated over %d for a step", t.BatchSize, t.GradientAccumulationSteps)
}

// afterCuts says what follows a scout's training.
func afterCuts(s *trial.Shrink) string {
	if s == nil {
		return ""
	}
	ranks := make([]int, len(s.To))
	for i, to := range s.To {
		ranks[i] = to.Rank
	}
	return fmt.Sprintf(", then %d after cutting to each of ranks %s", s.Steps, lora.JoinInts(ranks))
}
