// Package grid reads grid.yaml: which ranks to train, on what, and when to stop.
//
// The table of keys (keys.go, keys_lora.go) is the one description of the file. The strict parser, the defaults, the hash that tells
// a changed grid, the differences for people, the names of cells and the JSON Schema all come from it. Every error has file, line and
// column, and says what to write instead. The YAML parser is goccy/go-yaml, for its positions; no other package of sweep reads YAML.
//
//	g, err := grid.Parse("notes.yaml", text)    // strict, defaulted
//	r := g.Resolve(dir)                         // what its names mean on this machine: the only look at the file system
//	ladders, warnings, err := r.Expand(models)  // cells × ranks × candidates × seeds
//
// Where things are: a key is added in keys.go; a value's spelling is a codec (value.go); lora.rank is ranks.go; what fits a model is
// fit.go; where a rank becomes trials is Resolved.rungs in expand.go.
package grid
