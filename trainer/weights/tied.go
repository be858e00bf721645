package weights

import (
	"errors"
	"io"
	"io/fs"
	"slices"
)

// HasOwnHead reports whether a model whose config.json ties the output head to the token embedding has a head of its own all the
// same: where the files hold both and they differ, transformers 5 uses both and ties nothing (modeling_utils.py, tie_weights,
// 5.24). Files that are not there hold none.
func HasOwnHead(files fs.FS, want Want) (bool, error) {
	if want.TiedHead == "" {
		return false, nil
	}
	names, err := ModelFiles(files)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var shards []shard
	defer func() { closeAll(shards) }()
	for _, name := range names {
		s, err := openShard(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		shards = append(shards, s)
	}
	head, hasHead := find(shards, want, want.TiedHead)
	tokens, hasTokens := find(shards, want, want.Tokens)
	if !hasHead || !hasTokens {
		return false, nil
	}
	same, err := head.equals(tokens)
	return !same, err
}

// stored is a tensor in an open file.
type stored struct {
	Entry
	shard shard
}

func find(shards []shard, want Want, name string) (stored, bool) {
	for _, s := range shards {
		for _, e := range s.Tensors {
			if want.canonical(e.Name) == name {
				return stored{e, s}, true
			}
		}
	}
	return stored{}, false
}

// equals compares the tensors' values, up to the first that differ. One that cannot be read equals nothing, so that it is missed.
func (a stored) equals(b stored) (bool, error) {
	if !slices.Equal(a.Shape, b.Shape) || a.format.decode == nil || b.format.decode == nil {
		return false, nil
	}
	const values = 1 << 14 // a multiple of every format's block
	x, y, buffer := make([]float32, values), make([]float32, values), make([]byte, 8*values)
	left := a.elements()
	from, with := a.reader(), b.reader()
	for left > 0 {
		n := min(left, values)
		if err := errors.Join(fill(x[:n], from, buffer, a.format, false), fill(y[:n], with, buffer, b.format, false)); err != nil {
			return false, err
		}
		if !slices.Equal(x[:n], y[:n]) {
			return false, nil
		}
		left -= n
	}
	return true, nil
}

func (a stored) reader() io.Reader {
	start := a.shard.start
	return io.NewSectionReader(a.shard.file, start+a.begin, a.end-a.begin)
}

// takeHead gives a tied model whose files hold the output head alone its token embedding, as transformers does.
func (w Want) takeHead(shards []shard) {
	if _, there := find(shards, w, w.Tokens); there || w.TiedHead == "" {
		return
	}
	for _, s := range shards {
		for i, e := range s.Tensors {
			if e.Name == w.TiedHead {
				s.Tensors[i].Name = w.Tokens
			}
		}
	}
}
