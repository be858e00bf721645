package records

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Kind says how a file is read.
type Kind string

// The kinds of inputs.
const (
	KindText    Kind = "text"
	KindJSONL   Kind = "jsonl" // an object a line
	KindJSON    Kind = "json"  // an array, objects over several lines, or an object around the array
	KindCSV     Kind = "csv"
	KindTSV     Kind = "tsv"
	KindParquet Kind = "parquet"
	KindBuiltin Kind = "builtin" // text of the Go distribution
)

const supportedData = "text files, .jsonl, .json, .csv, .tsv (each also with .gz, .zst or .bz2), .parquet, globs of these, a data set " +
	"of the hub (owner/name), builtin:go-code and builtin:go-doc"

// kindOf goes by a file's name, and by its first bytes where those say something else. What is known to be no format of ours is
// refused, not read as text.
func kindOf(path string) (kind Kind, packed compression, err error) {
	kind, packed, err = kindByName(path)
	if err != nil {
		return "", "", err
	}
	h, err := readHead(path)
	if err != nil {
		return "", "", err
	}
	if packed != h.packed && packed != "" {
		return "", "", fmt.Errorf("%w: data file %s: not a %s file", trial.ErrInput, path, packed)
	}
	if kind, err = h.kind(kind); err != nil {
		return "", "", fmt.Errorf("%w: data file %s: %w", trial.ErrInput, path, err)
	}
	return kind, h.packed, nil
}

// kindByName goes by the file's ending.
func kindByName(path string) (kind Kind, packed compression, err error) {
	name, packed := uncompressed(path)
	ending := filepath.Ext(name)
	switch ending {
	case ".jsonl", ".ndjson", ".jsonlines", ".jl", ".json":
		return KindJSONL, packed, nil
	case ".csv":
		return KindCSV, packed, nil
	case ".tsv":
		return KindTSV, packed, nil
	case ".parquet":
		return KindParquet, packed, nil
	case ".arrow", ".feather", ".xz", ".lz4", ".zip", ".tar", ".tgz", ".npy", ".npz", ".pkl", ".bin", ".pdf", ".safetensors", ".gguf", ".xlsx":
		return "", "", fmt.Errorf("%w: data file %s: %s files are not supported; data can be %s", trial.ErrInput, path, ending, supportedData)
	}
	return KindText, packed, nil
}

// uncompressed returns a name in lower case without the ending of a compressed file, and what that ending says.
func uncompressed(path string) (string, compression) {
	name := strings.ToLower(path)
	for _, c := range compressions() {
		if rest, ok := strings.CutSuffix(name, string(c.name)); ok {
			return rest, c.name
		}
	}
	return name, ""
}

// isPlainText reports whether a name ends like text by its usual endings.
func isPlainText(path string) bool {
	name, _ := uncompressed(path)
	return slices.Contains([]string{".txt", ".text", ".md"}, filepath.Ext(name))
}

// IsDataFile reports whether a name ends like a table of this package, or like text by its usual endings. The JSON files that
// Hugging Face's tools put beside a data set are none (FILES_TO_IGNORE in data_files.py of datasets 5.2).
func IsDataFile(name string) bool {
	switch filepath.Base(name) {
	case "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json":
		return false
	}
	kind, _, err := kindByName(name)
	return isPlainText(name) || err == nil && kind != KindText
}
