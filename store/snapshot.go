package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Snapshot reads a sweep's facts at one moment. Points are not part of it, so it stays small: see Points.
func (d *DB) Snapshot(ctx context.Context, sweepID int64) (sweep.Snapshot, error) {
	var s sweep.Snapshot
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		if s.Sweep, err = selectSweep(ctx, tx, sweepID); err != nil {
			return err
		}
		if s.Ladders, err = selectLadders(ctx, tx, s.Sweep); err != nil {
			return err
		}
		if err := readFactsOf(ctx, tx, s, wholeSweep(sweepID)); err != nil {
			return err
		}
		s.CountTokens()
		s.Seen, err = seenFirst(ctx, tx)
		return err
	})
	if err != nil {
		return sweep.Snapshot{}, fmt.Errorf("snapshot of sweep %d: %w", sweepID, err)
	}
	return s, nil
}

func selectSweep(ctx context.Context, tx *sql.Tx, id int64) (sweep.Info, error) {
	info, err := scanInfo(tx.QueryRowContext(ctx, selectInfo+` WHERE s.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return info, sweep.ErrNotFound
	}
	return info, err
}

// part is the ladders that a query reads, by a condition on the table ladders l.
type part struct {
	where string
	args  []any
	few   bool // a few ladders of many
}

func wholeSweep(id int64) part { return part{where: `l.sweep_id = ?1`, args: []any{id}} }

// trials yields the ids of the ladders' trials, scouts and references among them.
func (p part) trials() string {
	var all []string
	for _, table := range placeTables() {
		all = append(all, `SELECT lt.trial_id FROM `+table+` lt JOIN ladders l ON l.id = lt.ladder_id WHERE `+p.where)
	}
	return strings.Join(all, ` UNION ALL `)
}

// count is how many trials stand in the ladders, one in several places counting as often.
func (p part) count(ctx context.Context, tx *sql.Tx) (places int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM (`+p.trials()+`)`, p.args...).Scan(&places)
	return places, err
}

// attempts is a condition on attempts a: that they are of the ladders' trials. Of a few ladders their trials are listed; of a whole sweep
// each attempt is looked up: a list of all trials, made for every query, takes seconds where few of them were begun.
func (p part) attempts() string {
	if p.few {
		return `a.trial_id IN (` + p.trials() + `)`
	}
	var places []string
	for _, table := range placeTables() { // CROSS JOIN: by the trial, not through all ladders
		places = append(places, `EXISTS (SELECT 1 FROM `+table+` lt CROSS JOIN ladders l ON l.id = lt.ladder_id
			WHERE lt.trial_id = a.trial_id AND `+p.where+`)`)
	}
	return `(` + strings.Join(places, ` OR `) + `)`
}

// placeTables are the tables that say where in a ladder a trial stands.
func placeTables() []string { return []string{"rung_trials", "scout_trials", "reference_trials"} }

// readFactsOf adds to every trial of a sweep's ladders, which are those of a part, what is known about it, as the sweep sees it.
func readFactsOf(ctx context.Context, tx *sql.Tx, s sweep.Snapshot, of part) error {
	if err := readLadderFacts(ctx, tx, s.Ladders, of); err != nil {
		return err
	}
	retried, err := readRetried(ctx, tx, s.Sweep.ID)
	if len(retried) > 0 {
		s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) { t.Retried = retried[t.Trial.ID] })
	}
	s.Reopen()
	return err
}

// readLadderFacts adds to every trial of a part's ladders what is known about it, whichever sweep trained it.
func readLadderFacts(ctx context.Context, tx *sql.Tx, ladders []sweep.Ladder, of part) error {
	var places []*sweep.TrialFacts
	for i := range ladders {
		ladders[i].Each(func(_ int, t *sweep.TrialFacts) { places = append(places, t) })
	}
	return readTrialFacts(ctx, tx, places, of.attempts(), of.args...)
}

// readTrialFacts adds what is known about the trials whose attempts a fulfil a condition, all of which are among these. One that has several
// places is read into the first.
func readTrialFacts(ctx context.Context, tx *sql.Tx, places []*sweep.TrialFacts, which string, args ...any) error {
	facts := make(map[trial.ID]*sweep.TrialFacts, len(places))
	var again []*sweep.TrialFacts
	for _, t := range places {
		if facts[t.Trial.ID] == nil {
			facts[t.Trial.ID] = t
		} else {
			again = append(again, t)
		}
	}
	if err := readFacts(ctx, tx, facts, which, args...); err != nil {
		return err
	}
	for _, t := range again {
		known := *facts[t.Trial.ID]
		known.Trial, known.Candidate, known.Extra = t.Trial, t.Candidate, t.Extra
		*t = known
	}
	return nil
}

// selectLadders reads a sweep's ladders in grid order, their trials by rank and seed, without facts about them.
func selectLadders(ctx context.Context, tx *sql.Tx, info sweep.Info) ([]sweep.Ladder, error) {
	var ladders []sweep.Ladder
	models, corpora := once[trial.ModelInfo]{}, once[trial.CorpusInfo]{}
	rows, err := tx.QueryContext(ctx, `SELECT id, position, model, corpus FROM ladders WHERE sweep_id = ? ORDER BY position`, info.ID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var l sweep.Ladder
		var model, corpus string
		if err := rows.Scan(&l.ID, &l.Index, &model, &corpus); err != nil {
			return err
		}
		var err error
		if l.Model, err = models.decode("model", model); err != nil {
			return err
		}
		if l.Corpus, err = corpora.decode("corpus", corpus); err != nil {
			return err
		}
		ladders = append(ladders, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*sweep.Ladder, len(ladders))
	for i := range ladders {
		byID[ladders[i].ID] = &ladders[i]
	}
	for _, read := range []func(context.Context, *sql.Tx, map[int64]*sweep.Ladder, sweep.Info) error{readCells, readCandidates} {
		if err := read(ctx, tx, byID, info); err != nil {
			return nil, err
		}
	}
	return ladders, readTrials(ctx, tx, byID, info, wholeSweep(info.ID))
}

// readTrials adds their trials to the ladders.
func readTrials(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info, of part) error {
	for _, read := range []func(context.Context, *sql.Tx, map[int64]*sweep.Ladder, sweep.Info, part) error{
		readRungs, readScouts, readReference,
	} {
		if err := read(ctx, tx, ladders, info, of); err != nil {
			return err
		}
	}
	return nil
}

func readCells(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info) error {
	texts := shared{}
	rows, err := tx.QueryContext(ctx, `SELECT c.ladder_id, c.name, c.value, c.axis FROM ladders l JOIN ladder_settings c ON c.ladder_id = l.id
		WHERE l.sweep_id = ? ORDER BY l.position, c.position`, info.ID)
	return each(rows, err, func(rows *sql.Rows) error {
		var id int64
		var s sweep.Setting
		err := rows.Scan(&id, &s.Name, &s.Value, &s.Axis)
		s.Name, s.Value = texts.text(s.Name), texts.text(s.Value)
		ladders[id].Cell = append(ladders[id].Cell, s)
		return err
	})
}

func readCandidates(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info) error {
	texts := shared{}
	rows, err := tx.QueryContext(ctx, `SELECT c.ladder_id, c.candidate, c.name, c.value
		FROM ladders l JOIN ladder_candidates c ON c.ladder_id = l.id
		WHERE l.sweep_id = ? ORDER BY l.position, c.candidate, c.position`, info.ID)
	return each(rows, err, func(rows *sql.Rows) error {
		var id int64
		var c int
		s := sweep.Setting{Axis: true}
		if err := rows.Scan(&id, &c, &s.Name, &s.Value); err != nil {
			return err
		}
		s.Name, s.Value = texts.text(s.Name), texts.text(s.Value)
		l := ladders[id]
		if c >= len(l.Candidates) {
			l.Candidates = append(l.Candidates, nil)
		}
		last := len(l.Candidates) - 1
		l.Candidates[last] = append(l.Candidates[last], s)
		return nil
	})
}

// readRungs reads the trials of the ladders, ranks ascending, candidates in their order, seeds in the sweep's order and then
// extra ones, ascending. The trials of a rung's candidate differ in their seeds alone, so one of them is read in full.
func readRungs(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info, of part) error {
	places, err := of.count(ctx, tx)
	if err != nil {
		return err
	}
	specs, all := bareSpecs{}, make([]sweep.TrialFacts, 0, places) // each rung has a part of it
	// A bare column beside min() is taken from the row of the minimum. CROSS JOIN keeps the order of the places, which is that of their key.
	rows, err := tx.QueryContext(ctx, `SELECT r.ladder_id, r.rank, r.candidate, r.seeds, r.trials, `+trialColumns+`
		FROM (SELECT lt.ladder_id, lt.rank, lt.candidate, min(lt.seed), lt.trial_id AS first, group_concat(lt.seed) AS seeds,
				group_concat(lt.trial_id) AS trials
			FROM ladders l JOIN rung_trials lt ON lt.ladder_id = l.id WHERE `+of.where+` GROUP BY l.position, lt.rank, lt.candidate) r
		CROSS JOIN trial_specs t ON t.id = r.first`, of.args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var ladder int64
		var rank, candidate int
		var seeds, trials, spec string
		var t trial.Trial
		if err := rows.Scan(&ladder, &rank, &candidate, &seeds, &trials, &t.ID, &spec, &t.Base, &t.Data, &t.Backend); err != nil {
			return err
		}
		brief, err := specs.decode(t, spec, rank)
		if err != nil {
			return fmt.Errorf("trial %s: %w", t.ID, err)
		}
		l := ladders[ladder]
		if n := len(l.Rungs); n == 0 || l.Rungs[n-1].Rank != rank {
			l.Rungs = append(l.Rungs, sweep.Rung{Rank: rank})
		}
		last := &l.Rungs[len(l.Rungs)-1]
		begin := len(all) - len(last.Trials)
		for seed, id := range pairs(seeds, trials) {
			if brief.Seed, err = strconv.ParseInt(seed, 10, 64); err != nil {
				return err
			}
			brief.ID = trial.ID(id)
			all = append(all, sweep.TrialFacts{Trial: brief, Candidate: candidate, Extra: !slices.Contains(info.Seeds, brief.Seed)})
		}
		last.Trials = all[begin:len(all):len(all)]
		return nil
	})
	for _, l := range ladders {
		for _, r := range l.Rungs {
			slices.SortStableFunc(r.Trials, func(a, b sweep.TrialFacts) int {
				return cmp.Or(cmp.Compare(a.Candidate, b.Candidate), cmp.Compare(place(info.Seeds, a), place(info.Seeds, b)))
			})
		}
	}
	return err
}

// readScouts reads the scouts of the ladders, by rank and candidate.
func readScouts(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info, of part) error {
	return readBeside(ctx, tx, `scout_trials lt`, `lt.rank, lt.candidate`, of, func(ladder int64, f sweep.TrialFacts) {
		ladders[ladder].Scouts = append(ladders[ladder].Scouts, f)
	})
}

// readReference reads the references of the ladders, by candidate, seeds in the sweep's order.
func readReference(ctx context.Context, tx *sql.Tx, ladders map[int64]*sweep.Ladder, info sweep.Info, of part) error {
	err := readBeside(ctx, tx, `reference_trials lt`, `lt.candidate, lt.seed`, of, func(ladder int64, f sweep.TrialFacts) {
		ladders[ladder].Reference = append(ladders[ladder].Reference, f)
	})
	for _, l := range ladders {
		slices.SortStableFunc(l.Reference, func(a, b sweep.TrialFacts) int {
			return cmp.Or(cmp.Compare(a.Candidate, b.Candidate), cmp.Compare(place(info.Seeds, a), place(info.Seeds, b)))
		})
	}
	return err
}

// readBeside reads trials that stand beside the rungs of their ladders, in a table lt and an order.
func readBeside(
	ctx context.Context, tx *sql.Tx, table, order string, of part, keep func(ladder int64, f sweep.TrialFacts),
) error {
	rows, err := tx.QueryContext(ctx, `SELECT lt.ladder_id, lt.candidate, t.id, t.spec, t.base, t.data, t.backend
		FROM ladders l JOIN `+table+` ON lt.ladder_id = l.id JOIN trial_specs t ON t.id = lt.trial_id
		WHERE `+of.where+` ORDER BY lt.ladder_id, `+order, of.args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var ladder int64
		var spec string
		var f sweep.TrialFacts
		var t trial.Trial
		if err := rows.Scan(&ladder, &f.Candidate, &t.ID, &spec, &t.Base, &t.Data, &t.Backend); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(spec), &t.Spec); err != nil {
			return fmt.Errorf("trial %s: %w", t.ID, err)
		}
		f.Trial = t.Brief()
		keep(ladder, f)
		return nil
	})
}

// pairs yields what stands at the same place in two lists separated by commas.
func pairs(a, b string) iter.Seq2[string, string] {
	return func(yield func(a, b string) bool) {
		for more := true; more; {
			var first, second string
			first, a, more = strings.Cut(a, ",")
			second, b, _ = strings.Cut(b, ",")
			if !yield(first, second) {
				return
			}
		}
	}
}

// bareSpecs keeps what trials share by the texts of their specs without rank, alpha and seed, which are the same for most trials of a
// ladder.
type bareSpecs map[bareSpec]*trial.Shared

type bareSpec struct{ head, middle, tail, base, data, backend string }

func (b bareSpecs) decode(t trial.Trial, text string, rank int) (trial.Brief, error) {
	key, alpha, ok := bare(t, text, rank)
	if known := b[key]; ok && known != nil {
		v, err := strconv.ParseFloat(alpha, 64)
		return trial.Brief{ID: t.ID, Rank: rank, Alpha: v, Shared: known}, err
	}
	if err := decode("spec", text, &t.Spec); err != nil {
		return trial.Brief{}, err
	}
	brief := t.Brief()
	if ok {
		b[key] = brief.Shared
	}
	return brief, nil
}

// bare cuts rank, alpha and seed out of the text of a spec, as encode spells it; ok is false where it was spelled otherwise. Of what may
// be spelled alike data comes before, and nothing after.
func bare(t trial.Trial, text string, rank int) (key bareSpec, alpha string, ok bool) {
	before, seed := `"lora":{"r":`+strconv.Itoa(rank)+`,"lora_alpha":`, `,"seed":`
	i, k := strings.LastIndex(text, before), strings.LastIndex(text, seed)
	if i < 0 || k < i {
		return key, "", false
	}
	alpha, middle, ok := strings.Cut(text[i+len(before):k], ",")
	tail := strings.TrimLeft(text[k+len(seed):], "-0123456789")
	return bareSpec{text[:i], middle, tail, t.Base, t.Data, t.Backend}, alpha, ok
}

// place orders the seeds of a candidate: the grid's as they were given, extra ones last.
func place(seeds []int64, t sweep.TrialFacts) int {
	if t.Extra {
		return len(seeds)
	}
	return slices.Index(seeds, t.Trial.Seed)
}

const trialColumns = `t.id, t.spec, t.base, t.data, t.backend`

// scanTrial reads trialColumns.
func scanTrial(row interface{ Scan(dest ...any) error }) (trial.Trial, error) {
	var t trial.Trial
	var spec string
	if err := row.Scan(&t.ID, &spec, &t.Base, &t.Data, &t.Backend); err != nil {
		return trial.Trial{}, err
	}
	if err := decode("spec", spec, &t.Spec); err != nil {
		return trial.Trial{}, fmt.Errorf("trial %s: %w", t.ID, err)
	}
	return t, nil
}
