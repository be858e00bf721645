package disktest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Loss says what a cut of the power keeps of the changes that were not synced.
type Loss int

// The kinds of loss.
const (
	LoseAll       Loss = iota // nothing
	KeepPrefix                // those up to a random moment, the last one torn at a sector: a disk that writes in order
	KeepScattered             // random sectors of any of them, and of each folder's names those up to a random moment
	LoseNothing               // all: what programs see while the power is on
)

func (l Loss) String() string {
	return [...]string{"lose all", "keep a prefix", "keep scattered sectors", "lose nothing"}[l]
}

// Image is what a disk held at one moment, durable or not.
type Image struct {
	nodes []frozen // by number
}

// frozen is a node at one moment. Nothing that it points to changes any more.
type frozen struct {
	mode    uint32
	synced  content
	changes []change
	names   map[string]uint64 // a folder's that are durable
	namings []naming
	folder  bool
}

// naming is a change to a folder's names that no sync has made durable yet: a name that was added, removed, or both at once.
type naming struct {
	order          int64
	removed, added string
	number         uint64 // of the node that was added
}

// Restore writes into a folder what a cut of the power leaves of the image. The same seed loses the same.
func (i Image) Restore(dir string, loss Loss, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0))
	cut := cutter{image: i, loss: loss, random: random}
	if loss == KeepPrefix {
		cut.last = i.someOrder(random)
	}
	if err := cut.restore(rootNumber, dir); err != nil {
		return fmt.Errorf("restore an image: %w", err)
	}
	return nil
}

// someOrder returns a random one of the changes that are not durable, 0 where there are none.
func (i Image) someOrder(random *rand.Rand) int64 {
	orders := []int64{0}
	for _, n := range i.nodes {
		for _, c := range n.changes {
			orders = append(orders, c.order)
		}
		for _, c := range n.namings {
			orders = append(orders, c.order)
		}
	}
	slices.Sort(orders)
	return orders[random.IntN(len(orders))]
}

// cutter writes what a cut leaves.
type cutter struct {
	image  Image
	loss   Loss
	random *rand.Rand
	last   int64 // the last change that KeepPrefix keeps, torn
}

func (c cutter) restore(number uint64, path string) error {
	n := c.image.nodes[number]
	if !n.folder {
		return os.WriteFile(path, c.bytes(n), os.FileMode(n.mode)&0o777)
	}
	if err := os.Mkdir(path, os.FileMode(n.mode)&0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	names := c.names(n)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := c.restore(names[name], filepath.Join(path, name)); err != nil {
			return err
		}
	}
	return nil
}

func (c cutter) names(n frozen) map[string]uint64 {
	kept := 0
	switch c.loss {
	case LoseAll:
	case KeepPrefix:
		for kept < len(n.namings) && n.namings[kept].order <= c.last {
			kept++
		}
	case LoseNothing:
		kept = len(n.namings)
	case KeepScattered:
		kept = c.random.IntN(len(n.namings) + 1)
	}
	names := maps.Clone(n.names)
	for _, change := range n.namings[:kept] {
		change.apply(names)
	}
	return names
}

// apply changes a folder's names. A rename of what is not there, which a loss may leave, still adds its name.
func (c naming) apply(names map[string]uint64) {
	delete(names, c.removed)
	if c.added != "" {
		names[c.added] = c.number
	}
}

func (c cutter) bytes(n frozen) []byte {
	file := n.synced.clone()
	for _, change := range n.changes {
		switch {
		case c.loss == LoseNothing, c.loss == KeepPrefix && change.order < c.last:
			file.apply(change)
		case c.loss == KeepPrefix && change.order == c.last:
			c.tear(&file, change, func(i, sectors int) bool { return i < sectors/2 })
		case c.loss == KeepScattered:
			c.tear(&file, change, func(int, int) bool { return c.random.IntN(2) == 0 })
		}
	}
	return file.bytes()
}

// tear applies those sectors of a change that keep names. A truncation is one.
func (c cutter) tear(file *content, change change, keep func(i, sectors int) bool) {
	if change.data == nil {
		if keep(0, 2) {
			file.apply(change)
		}
		return
	}
	end := change.at + int64(len(change.data))
	first, sectors := change.at/sectorBytes, (end+sectorBytes-1)/sectorBytes-change.at/sectorBytes
	for i := range sectors {
		from, to := max(change.at, (first+i)*sectorBytes), min(end, (first+i+1)*sectorBytes)
		if keep(int(i), int(sectors)) {
			file.write(from, change.data[from-change.at:to-change.at])
		}
	}
}
