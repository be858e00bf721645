package hub

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/goccy/go-yaml"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// splitFiles returns the files of the first of splits that a data set has, by name. names are all its files, card is its
// README.md, whose head may say which files make which split of which configuration, as Hugging Face's datasets reads it; else
// the files' names say it.
func splitFiles(id string, card []byte, names []string, config string, splits []string) ([]string, error) {
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool {
		return !records.IsDataFile(name) || strings.EqualFold(path.Ext(name), ".md")
	})
	bySplit, err := cardSplits(id, card, names, config)
	if err != nil {
		return nil, err
	}
	if bySplit == nil {
		if config != "" {
			if names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, config+"/") }); len(names) == 0 {
				return nil, fmt.Errorf("%w: hub data set %s has no configuration %s", trial.ErrInput, id, config)
			}
		}
		bySplit = namedSplits(names)
	}
	for _, split := range splits {
		if files := bySplit[split]; len(files) > 0 {
			return oneFormat(files), nil
		}
	}
	there := "none with files of a known format; look for one that has jsonl, csv, parquet or text files"
	if len(bySplit) > 0 {
		there = strings.Join(slices.Sorted(maps.Keys(bySplit)), ", ")
	}
	return nil, fmt.Errorf("%w: hub data set %s has no split %s; its splits: %s (write %s:split)", trial.ErrInput, id,
		strings.Join(splits, " or "), there, id)
}

// cardConfig is one entry of configs in a data set's README.md.
type cardConfig struct {
	Name      string `yaml:"config_name"`
	Default   bool   `yaml:"default"`
	DataDir   string `yaml:"data_dir"`
	DataFiles any    `yaml:"data_files"` // a pattern, a list of them, or a list of {split, path}
}

// cardSplits returns the files by split as the card lists them; nil where it lists none.
func cardSplits(id string, card []byte, names []string, config string) (map[string][]string, error) {
	head, ok := bytes.CutPrefix(card, []byte("---\n"))
	if !ok {
		return nil, nil
	}
	head, _, ok = bytes.Cut(head, []byte("\n---"))
	if !ok {
		return nil, nil
	}
	var meta struct {
		Configs []cardConfig `yaml:"configs"`
	}
	if err := yaml.Unmarshal(head, &meta); err != nil {
		return nil, fmt.Errorf("%w: hub data set %s: the head of its README.md: %w", trial.ErrInput, id, err)
	}
	configs := slices.DeleteFunc(meta.Configs, func(c cardConfig) bool { return c.DataFiles == nil && c.DataDir == "" })
	if len(configs) == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(configs, func(c cardConfig) bool {
		if config == "" {
			return c.Default || c.Name == "default" || len(configs) == 1
		}
		return c.Name == config
	})
	if i < 0 {
		var there []string
		for _, c := range configs {
			there = append(there, c.Name)
		}
		if config == "" {
			return nil, fmt.Errorf("%w: hub data set %s has several configurations: write %s:CONFIG:SPLIT with one of %s", trial.ErrInput,
				id, id, strings.Join(there, ", "))
		}
		return nil, fmt.Errorf("%w: hub data set %s has no configuration %s; there are %s", trial.ErrInput, id, config, strings.Join(there, ", "))
	}
	return configs[i].files(names), nil
}

// files sorts names into the configuration's splits.
func (c cardConfig) files(names []string) map[string][]string {
	within := func(pattern string) []string {
		if c.DataDir != "" {
			pattern = path.Join(c.DataDir, pattern)
		}
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !doublestar.MatchUnvalidated(pattern, name) })
	}
	if c.DataFiles == nil {
		return namedSplits(within("**"))
	}
	bySplit := map[string][]string{}
	for _, entry := range listOfAny(c.DataFiles) {
		split, patterns := "train", entry
		if m, ok := entry.(map[string]any); ok {
			split, patterns = fmt.Sprint(m["split"]), m["path"]
		}
		for _, pattern := range listOfAny(patterns) {
			if files := within(fmt.Sprint(pattern)); len(files) > 0 {
				bySplit[split] = append(bySplit[split], files...)
			}
		}
	}
	return bySplit
}

func listOfAny(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// shardName is how Hugging Face's tools name the parts of a split.
var shardName = regexp.MustCompile(`^(.+)-([0-9]{5})-of-([0-9]{5})(-[0-9a-f]+)?\.`)

// splitWords are the words in a path by which Hugging Face's datasets tells splits (data_files.py of datasets 3.6).
func splitWords() map[string]*regexp.Regexp {
	words := map[string]*regexp.Regexp{}
	for split, names := range map[string]string{
		"train": "train|training", "validation": "validation|valid|dev|val", "test": "test|testing|eval|evaluation",
	} {
		words[split] = regexp.MustCompile(`(^|[-._ 0-9/])(` + names + `)([-._ 0-9/]|$)`)
	}
	return words
}

// namedSplits sorts files into splits by their names: the parts of a split, else by the words in their paths, else all are train.
func namedSplits(names []string) map[string][]string {
	bySplit := map[string][]string{}
	for _, name := range names {
		if m := shardName.FindStringSubmatch(path.Base(name)); m != nil {
			bySplit[m[1]] = append(bySplit[m[1]], name)
		}
	}
	if len(bySplit) > 0 {
		return bySplit
	}
	words := splitWords()
	for _, name := range names {
		for _, split := range slices.Sorted(maps.Keys(words)) {
			if words[split].MatchString(name) {
				bySplit[split] = append(bySplit[split], name)
				break
			}
		}
	}
	if len(bySplit) == 0 && len(names) > 0 {
		bySplit["train"] = names
	}
	return bySplit
}

// oneFormat keeps the files of the most frequent ending: repositories often hold the same rows in two formats.
func oneFormat(files []string) []string {
	count := map[string]int{}
	for _, name := range files {
		count[path.Ext(name)]++
	}
	best := path.Ext(files[0])
	for _, ending := range slices.Sorted(maps.Keys(count)) {
		if count[ending] > count[best] {
			best = ending
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return path.Ext(name) != best })
}
