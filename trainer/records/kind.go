package records

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Kind says how a file is read.
type Kind string

// The kinds of inputs.
const (
	KindText    Kind = "text"
	KindJSONL   Kind = "jsonl"
	KindCSV     Kind = "csv"
	KindTSV     Kind = "tsv"
	KindParquet Kind = "parquet"
	KindBuiltin Kind = "builtin" // text of the Go distribution
)

const supportedData = "text files, .jsonl, .csv, .tsv (each also with .gz), .parquet, globs of these, a data set of the hub " +
	"(owner/name), builtin:go-code and builtin:go-doc"

// kindOf goes by the file's ending. What is known to be no format of ours is refused, not read as text.
func kindOf(path string) (kind Kind, compressed bool, err error) {
	name, compressed := strings.CutSuffix(strings.ToLower(path), ".gz")
	ending := filepath.Ext(name)
	unsupported := func(why string) (Kind, bool, error) {
		return "", false, fmt.Errorf("%w: data file %s: %s; data can be %s", trial.ErrInput, path, why, supportedData)
	}
	switch ending {
	case ".jsonl", ".ndjson":
		return KindJSONL, compressed, nil
	case ".csv":
		return KindCSV, compressed, nil
	case ".tsv":
		return KindTSV, compressed, nil
	case ".parquet":
		if compressed {
			return unsupported("parquet compresses its own pages: unpack the .gz")
		}
		return KindParquet, false, nil
	case ".json":
		return unsupported(".json files are not supported: write one object a line and call it .jsonl")
	case ".arrow", ".zst", ".bz2", ".xz", ".zip", ".tar", ".tgz", ".npy", ".npz", ".bin", ".pdf", ".safetensors", ".gguf", ".xlsx":
		return unsupported(ending + " files are not supported")
	}
	return KindText, compressed, nil
}

// IsDataFile reports whether a name ends like a table of this package, or like text by its usual endings.
func IsDataFile(name string) bool {
	kind, _, err := kindOf(name)
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")) {
	case ".txt", ".text", ".md":
		return true
	}
	return err == nil && kind != KindText
}
