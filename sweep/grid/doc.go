// Package grid reads grid.yaml: which ranks to train, on what, and when to stop.
//
// The table of keys (keys.go, keys_lora.go) is the one description of the file: the strict parser, the hash that tells a changed grid,
// the differences for people, the names of cells and the JSON Schema come from it. Every error has file, line and column where the file
// has such a place, and says what to write instead. The YAML parser is goccy/go-yaml, for its positions; no other package of sweep reads
// YAML.
//
//	g, err := grid.Parse("notes.yaml", text)    // strict, defaulted
//	r := g.Resolve(dir)                         // what its names mean on this machine: the only look at the file system
//	ladders, warnings, err := r.Expand(models)  // cells × ranks × candidates × seeds
//
// Where things are: a key is a row in keys.go and a default in defaultGrid; a value's spelling is a codec (value.go); lora.rank is
// ranks.go; keys that contradict each other are fit.go; what fits a model, and where a rank becomes trials (Resolved.rungs), is
// expand.go; the name of a cell is cell.go.
package grid
