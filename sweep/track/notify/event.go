package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/track"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Kind says what happened.
type Kind string

// The kinds of event.
const (
	Verdict  Kind = "verdict"      // a ladder has one, or another than before
	Failure  Kind = "trial_failed" // it ended without a loss, for good
	Finished Kind = "finished"     // nothing is left to train
)

// Event is something that happened in a sweep.
type Event struct {
	ID              string      `json:"id"` // the same for the same event, within its sweep
	Event           Kind        `json:"event"`
	Sweep           string      `json:"sweep"`
	At              time.Time   `json:"at"`
	Text            string      `json:"text"` // a sentence
	Ladder          int         `json:"ladder,omitempty"`
	Cell            report.Cell `json:"cell,omitempty"`
	State           string      `json:"state,omitempty"` // of the ladder, or of the trial
	RecommendedRank int         `json:"recommended_rank,omitempty"`
	Probability     *float64    `json:"probability,omitempty"`
	Trial           trial.ID    `json:"trial,omitempty"`
	Rank            int         `json:"rank,omitempty"`
	Seed            *int64      `json:"seed,omitempty"`
	Error           string      `json:"error,omitempty"`
}

// Events are those of a sweep so far: failures and verdicts ladder by ladder, then the end. Sentences that take long to make are made
// for those alone that are wanted. What ladders share is told once.
func Events(f track.Facts, wanted func(id string) bool) []Event {
	var all []Event
	seen := map[string]bool{}
	add := func(e Event, text func() string) {
		e.Sweep = f.Sweep.Name
		if !seen[e.ID] && wanted(e.ID) {
			seen[e.ID] = true
			e.Text = text()
			all = append(all, e)
		}
	}
	end := f.Sweep.Created
	var ids []string
	for i, l := range f.Ladders {
		last := f.Sweep.Created
		l.Each(func(_ int, t *sweep.TrialFacts) {
			if n := len(t.Attempts); n > 0 && t.Attempts[n-1].LastAt.After(last) {
				last = t.Attempts[n-1].LastAt
			}
			if e, ok := failure(l, t); ok {
				add(e, func() string { return failureText(f, e) })
			}
		})
		if last.After(end) {
			end = last
		}
		if i >= len(f.Verdicts) || f.Verdicts[i].State == plateau.StateRunning {
			continue
		}
		e := verdict(l, f.Verdicts[i], last)
		ids = append(ids, e.ID)
		add(e, func() string { return verdictText(f, l, f.Verdicts[i]) })
	}
	if f.Done {
		sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
		const length = 8
		e := Event{ID: string(Finished) + "/" + hex.EncodeToString(sum[:length]), Event: Finished, At: end}
		add(e, func() string {
			return "Sweep " + f.Sweep.Name + " is finished. " + report.Build(f.Snapshot).Recommendation.Summary
		})
	}
	return all
}

func failure(l sweep.Ladder, t *sweep.TrialFacts) (Event, bool) {
	state := t.State()
	if !state.Lost() {
		return Event{}, false
	}
	last := t.Attempts[len(t.Attempts)-1]
	e := Event{
		ID: fmt.Sprintf("%s/%s", Failure, last.ID), Event: Failure, At: last.LastAt, Ladder: l.Index + 1, Cell: report.Cell(l.Cell),
		State: string(state), Trial: t.Trial.ID, Rank: t.Trial.Rank, Seed: &t.Trial.Seed,
	}
	e.Error, _ = t.Failure()
	return e, true
}

func failureText(f track.Facts, e Event) string {
	text := fmt.Sprintf("Trial %s of sweep %s (rank %d, seed %d) ended without a loss: %s", e.Trial, f.Sweep.Name, e.Rank, *e.Seed, e.State)
	if e.Error != "" {
		text += ": " + e.Error
	}
	return text
}

func verdict(l sweep.Ladder, v plateau.Verdict, at time.Time) Event {
	return Event{
		ID: fmt.Sprintf("%s/%d/%s/%d", Verdict, l.Index+1, v.State, v.RecommendedRank), Event: Verdict, At: at, Ladder: l.Index + 1,
		Cell: report.Cell(l.Cell), State: string(v.State), RecommendedRank: v.RecommendedRank, Probability: v.Probability,
	}
}

func verdictText(f track.Facts, l sweep.Ladder, v plateau.Verdict) string {
	name := "Sweep " + f.Sweep.Name
	if len(f.Ladders) > 1 {
		name += fmt.Sprintf(", ladder %d", l.Index+1)
	}
	text := name + ": " + strings.ReplaceAll(string(v.State), "_", " ")
	if v.RecommendedRank > 0 {
		text += fmt.Sprintf(", rank %d", v.RecommendedRank)
	}
	return text + ": " + prose.Reason(v)
}
