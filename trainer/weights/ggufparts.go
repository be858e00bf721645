package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// GGUFName returns the model's GGUF file in a folder that has no config.json: the only one there is, or the first part of the only split
// one. Empty means none.
func GGUFName(files fs.FS) (string, error) {
	if _, err := fs.Stat(files, ConfigFile); !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", err
	}
	var models []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), trial.GGUFSuffix) && !e.IsDir() {
			models = append(models, splitName(e.Name()).part(1))
		}
	}
	models = slices.Compact(slices.Sorted(slices.Values(models)))
	if len(models) > 1 {
		return "", fmt.Errorf("%w: %d GGUF files (%s); name the one to use", trial.ErrInput, len(models), strings.Join(models, ", "))
	}
	if len(models) == 0 {
		return "", nil
	}
	return models[0], nil
}

// GGUFParts lists the files of the model that a GGUF file belongs to, in order: every part of a split one, whichever of them is named,
// else the file alone.
func GGUFParts(name string) []string {
	s := splitName(name)
	parts := make([]string, max(1, s.count))
	for i := range parts {
		parts[i] = s.part(i + 1)
	}
	return parts
}

// splitPart is a name as llama.cpp gives it to a part: m-00001-of-00003.gguf (llama_split_path).
type splitPart struct {
	name          string
	stem          string
	number, count int // 0 where the name is not of this form
}

const splitDigits = 5

func splitName(name string) splitPart {
	whole := splitPart{name: name}
	base, isGGUF := strings.CutSuffix(name, trial.GGUFSuffix)
	parts := strings.Split(base, "-")
	n := len(parts)
	if !isGGUF || n < 4 || parts[n-2] != "of" || len(parts[n-3]) != splitDigits || len(parts[n-1]) != splitDigits {
		return whole
	}
	number, err := strconv.ParseUint(parts[n-3], 10, 31)
	count, err2 := strconv.ParseUint(parts[n-1], 10, 31)
	if err != nil || err2 != nil || number < 1 || number > count {
		return whole
	}
	return splitPart{name, strings.Join(parts[:n-3], "-"), int(number), int(count)}
}

// part names a part, from 1.
func (s splitPart) part(number int) string {
	if s.count == 0 {
		return s.name
	}
	return fmt.Sprintf("%s-%0*d-of-%0*d%s", s.stem, splitDigits, number, splitDigits, s.count, trial.GGUFSuffix)
}

// ReadGGUF reads and checks a model's GGUF file up to its weights. Of a split model any part can be named: all are read.
func ReadGGUF(files fs.FS, name string) (GGUF, error) {
	parts := GGUFParts(name)
	g, err := readGGUFPart(files, parts[0], nil)
	if err != nil {
		return GGUF{}, err
	}
	for _, part := range parts[1:] {
		more, err := readGGUFPart(files, part, g.Metadata)
		if err != nil {
			return GGUF{}, err
		}
		g.header.Tensors = append(g.header.Tensors, more.header.Tensors...)
		g.listed += more.listed
		g.starts = append(g.starts, more.starts...)
		maps.Copy(g.rope, more.rope)
	}
	if n, ok := asInt(g.Metadata[splitTensors]); ok && n != g.listed {
		return GGUF{}, fmt.Errorf("read %s: %w: its parts hold %d tensors, %s says %d; fetch all parts of one version", path.Base(parts[0]),
			ErrFormat, g.listed, splitTensors, n)
	}
	return g, nil
}

// readGGUFPart reads one file. settings are the first part's metadata; nil for the first itself.
func readGGUFPart(files fs.FS, name string, settings map[string]any) (GGUF, error) {
	f, size, err := open(files, name)
	if err != nil {
		return GGUF{}, asMissingPart(name, err)
	}
	defer f.Close() //nolint:errcheck // read only
	g, err := parseGGUFPart(f, size, name, settings)
	if err == nil {
		return g, nil
	}
	if pointer := pointerAt(path.Base(name), f); pointer != nil {
		return GGUF{}, pointer
	}
	return GGUF{}, fmt.Errorf("read %s: %w", path.Base(name), err)
}

// allParts reports the first part that is missing.
func allParts(files fs.FS, name string) error {
	for _, part := range GGUFParts(name) {
		if _, err := fs.Stat(files, part); err != nil {
			return asMissingPart(part, err)
		}
	}
	return nil
}

// asMissingPart says which part of a split model is not there.
func asMissingPart(name string, err error) error {
	s := splitName(name)
	if s.count < 2 || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %s is missing, which is %s; all parts must lie in one folder", trial.ErrInput, path.Base(name), s.place())
}

func (s splitPart) place() string { return fmt.Sprintf("part %d of %d", s.number, s.count) }

// Settings of a part's own. split.no counts from 0.
const (
	splitNumber  = "split.no"
	splitCount   = "split.count"
	splitTensors = "split.tensors.count"
)

func parseGGUFPart(f source, size int64, name string, settings map[string]any) (GGUF, error) {
	g, err := parseGGUF(f, size)
	if err != nil {
		return g, err
	}
	if err := g.checkPart(splitName(name)); err != nil {
		return g, err
	}
	if settings != nil {
		g.Metadata = settings
	}
	return g, g.translate(f)
}

// checkPart compares what a part says of itself with its name.
func (g GGUF) checkPart(s splitPart) error {
	number, _ := asInt(g.Metadata[splitNumber])
	count, _ := asInt(g.Metadata[splitCount])
	switch {
	case count == s.count && number == s.number-1, count <= 1 && s.count <= 1:
		return nil
	case s.count == 0:
		return fmt.Errorf("%w: it is part %d of %d, but its name does not say so; name the parts as llama.cpp does: NAME-00001-of-%05d.gguf",
			trial.ErrInput, number+1, count, count)
	}
	return fmt.Errorf("%w: its name says %s, its metadata (%s, %s) part %d of %d; name the parts as they were", trial.ErrInput, s.place(),
		splitNumber, splitCount, number+1, count)
}

// parseGGUFShard reads the header of a file whose tensors are to be read.
func parseGGUFShard(files fs.FS, name string, f source, size int64) (Header, error) {
	var settings map[string]any
	if first := GGUFParts(name)[0]; first != name {
		g, err := readGGUFPart(files, first, nil)
		if err != nil {
			return Header{}, err
		}
		settings = g.Metadata
	}
	g, err := parseGGUFPart(f, size, name, settings)
	if err != nil {
		return Header{}, err
	}
	return g.header, g.checkFormats()
}

// checkFormats refuses number formats that this package does not decode. The file is a good one.
func (g GGUF) checkFormats() error {
	for _, e := range g.header.Tensors {
		if e.format.decode == nil {
			return fmt.Errorf("%w: tensor %s has number format %s, which cannot be read; load the same model in another one, such as Q4_K_M, "+
				"Q8_0, F16 or BF16, or as a folder with safetensors", trial.ErrInput, e.Name, e.DType)
		}
	}
	return nil
}

// settingsOf names what the tensors of a model's files must fit.
func settingsOf(names []string) string {
	if strings.HasSuffix(names[0], trial.GGUFSuffix) {
		return "the metadata of the GGUF file"
	}
	return ConfigFile
}
