package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// settingValues are the values of a sweep's settings by their names, each once.
type settingValues map[string][]string

func (s settingValues) add(name, value string) {
	if !slices.Contains(s[name], value) {
		s[name] = append(s[name], value)
	}
}

// diffSettings lists the settings in which two sweeps differ: those of the sweeps, of their cells, and of the trials at the lowest rank
// that both ladders of a pair have.
func diffSettings(a, b sweep.Snapshot, pairs map[int]int) []DiffSetting {
	of, other := sweepSettings(a), sweepSettings(b)
	for i, j := range pairs {
		from, to, ok := likeTrials(a.Ladders[i], b.Ladders[j])
		if !ok {
			continue
		}
		skip := []string{"seed", "lora.r"}
		if a.Ladders[i].Model.Fingerprint == b.Ladders[j].Model.Fingerprint {
			skip = append(skip, "model") // the same one, wherever it lies
		}
		if from.Data == to.Data {
			skip = append(skip, "data.train", "data.validation", "data.retain")
		}
		of.addSpec(from.Spec, skip)
		other.addSpec(to.Spec, skip)
	}
	out := []DiffSetting{}
	all := maps.Clone(of)
	maps.Copy(all, other)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := DiffSetting{Name: name, A: notNil(of[name]), B: notNil(other[name])}
		slices.SortFunc(d.A, compareValues)
		slices.SortFunc(d.B, compareValues)
		if !slices.Equal(d.A, d.B) {
			out = append(out, d)
		}
	}
	return out
}

// compareValues orders numbers by size and all else by text.
func compareValues(a, b string) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	if errA == nil && errB == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// sweepSettings are what a sweep was judged by, its ranks and seeds, and its cells.
func sweepSettings(s sweep.Snapshot) settingValues {
	rule := s.Sweep.Rule
	out := settingValues{
		"backend":            {s.Sweep.Backend},
		"plateau.min_gain":   {rule.MinGain.String()},
		"plateau.patience":   {strconv.Itoa(rule.Patience)},
		"plateau.confidence": {number(rule.Confidence)},
		"plateau.stop":       {string(rule.Stop)},
		"plateau.noise_sd":   {number(rule.NoiseSD)},
		"seeds_per_rank":     {string(rule.SeedsPerRank)},
		"strategy":           {string(s.Sweep.Strategy)},
		"limits.memory":      {trial.FormatBytes(s.Sweep.Limits.Memory)},
		"limits.time":        {s.Sweep.Limits.Time.String()},
		"limits.trial_time":  {s.Sweep.Limits.TrialTime.String()},
		"limits.tokens":      {strconv.FormatInt(s.Sweep.Limits.Tokens, 10)},
		"limits.disk":        {trial.FormatBytes(s.Sweep.Limits.Disk)},
		"race":               {strconv.FormatBool(s.Sweep.Race)},
	}
	for _, seed := range s.Sweep.Seeds {
		out.add("seeds", strconv.FormatInt(seed, 10))
	}
	for _, l := range s.Ladders {
		for _, r := range l.Rungs {
			out.add("rank", strconv.Itoa(r.Rank))
		}
		for _, setting := range l.Cell {
			out.add(setting.Name, setting.Value)
		}
	}
	return out
}

// likeTrials returns the standing trials of the lowest rank and its first seed that both ladders have.
func likeTrials(a, b sweep.Ladder) (from, to trial.Trial, ok bool) {
	for _, r := range a.Rungs {
		i := slices.IndexFunc(b.Rungs, func(other sweep.Rung) bool { return other.Rank == r.Rank })
		if i < 0 {
			continue
		}
		for _, t := range r.ChosenRung().Trials {
			for _, u := range b.Rungs[i].ChosenRung().Trials {
				if t.Trial.Seed == u.Trial.Seed {
					return t.Trial.Trial(), u.Trial.Trial(), true
				}
			}
		}
	}
	return from, to, false
}

// addSpec adds the settings of a trial that its cell does not have, by their names in JSON.
func (s settingValues) addSpec(spec trial.Spec, skip []string) {
	body, err := json.Marshal(spec)
	if err != nil {
		panic(fmt.Sprintf("a trial's settings are no JSON: %v", err)) // its id was made of it
	}
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		panic(fmt.Sprintf("a trial's settings are no JSON object: %v", err))
	}
	s.addTree("", tree, skip)
}

func (s settingValues) addTree(prefix string, tree map[string]any, skip []string) {
	for key, value := range tree {
		name := prefix + key
		if inner, ok := value.(map[string]any); ok {
			s.addTree(name+".", inner, skip)
			continue
		}
		_, leaf, _ := strings.Cut(name, ".")
		if _, inCell := s[strings.TrimPrefix(leaf, "lora_")]; inCell || slices.Contains(skip, name) {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			panic(fmt.Sprintf("a value out of JSON is none: %v", err))
		}
		s.add(name, strings.Trim(string(text), `"`))
	}
}
