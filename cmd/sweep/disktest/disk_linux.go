package disktest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// rootNumber is the node that every FUSE file system begins with; number 0 is none.
const rootNumber = fuse.FUSE_ROOT_ID

// Disk is a mounted file system. It is safe for concurrent use.
type Disk struct {
	fuse.RawFileSystem
	dir string

	mu       sync.Mutex
	nodes    []*node // by number; none is ever forgotten
	order    int64   // of the last change
	used     int64   // bytes of all files that have a name
	capacity int64
	onSync   func(Moment)
	fail     func(op Op, path string) syscall.Errno
	handles  map[uint64][]fuse.DirEntry // open folders
	handle   uint64
}

// node is a file or a folder.
type node struct {
	number uint64
	mode   uint32 // type and permissions
	mtime  time.Time
	parent uint64 // where it was last named
	name   string
	gone   bool // it has no name any more

	file, synced content
	changes      []change

	names, syncedNames map[string]uint64 // nil for a file; syncedNames is replaced, never changed
	namings            []naming
}

// Moment is one sync.
type Moment struct {
	Path          string // of what was synced, below the mount point
	Content       []byte // of a file, durable now
	Before, After Image
}

// Op is what a program asks of the disk.
type Op string

// The operations that may fail.
const (
	Read   Op = "read"
	Write  Op = "write"
	Create Op = "create" // a file, a folder, or another name
	Sync   Op = "sync"
)

// Mount mounts an empty disk over a folder. It needs /dev/fuse and the right to mount.
func Mount(dir string) (*Disk, error) {
	d := &Disk{
		RawFileSystem: fuse.NewDefaultRawFileSystem(), dir: dir, nodes: make([]*node, rootNumber),
		capacity: 1 << 40, handles: map[uint64][]fuse.DirEntry{},
	}
	d.add(0, "", syscall.S_IFDIR|0o755)
	server, err := fuse.NewServer(d, dir, &fuse.MountOptions{
		Name: "disktest", FsName: "disktest", DirectMountStrict: true, DisableXAttrs: true, DisableReadDirPlus: true, MaxWrite: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("mount a disk over %s: %w", dir, err)
	}
	if err := keepConnection(); err != nil {
		return nil, err
	}
	go server.Serve()
	return d, server.WaitMount()
}

// keepConnection keeps the open /dev/fuse from programs that this process starts: with it a disk would outlive its server.
func keepConnection() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		var fd int
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if _, scanErr := fmt.Sscan(e.Name(), &fd); err == nil && scanErr == nil && target == "/dev/fuse" {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// Unmount unmounts the disk, whoever still uses it.
func (d *Disk) Unmount() error {
	if err := syscall.Unmount(d.dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", d.dir, err)
	}
	return nil
}

// OnSync has f called at every sync, while the disk stands still. f must not use the disk.
func (d *Disk) OnSync(f func(Moment)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onSync = f
}

// Fail has f asked before every operation: one for which it returns an error number does nothing and fails with it.
func (d *Disk) Fail(f func(op Op, path string) syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// SetCapacity makes the disk so many bytes large, whatever is on it.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// Image returns what the disk holds now.
func (d *Disk) Image() Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.image()
}

func (d *Disk) image() Image {
	i := Image{nodes: make([]frozen, len(d.nodes))}
	for number, n := range d.nodes[rootNumber:] {
		i.nodes[rootNumber+number] = frozen{
			mode: n.mode, synced: n.synced, changes: slices.Clip(n.changes), folder: n.names != nil,
			names: n.syncedNames, namings: slices.Clip(n.namings),
		}
	}
	return i
}

// Load copies a folder's content onto an empty disk, as if it had been there for long.
func (d *Disk) Load(folder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(d.nodes[rootNumber], folder); err != nil {
		return fmt.Errorf("load a disk: %w", err)
	}
	for _, n := range d.nodes[rootNumber:] {
		n.sync()
	}
	return nil
}

func (d *Disk) load(into *node, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if e.IsDir() {
			if err := d.load(d.add(into.number, e.Name(), syscall.S_IFDIR|0o755), path); err != nil {
				return err
			}
			continue
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n := d.add(into.number, e.Name(), syscall.S_IFREG|0o644)
		n.file.write(0, body)
		d.used += int64(len(body))
	}
	return nil
}

// add makes a node with this name in a folder.
func (d *Disk) add(parent uint64, name string, mode uint32) *node {
	n := &node{number: uint64(len(d.nodes)), mode: mode, mtime: time.Now()}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		n.names, n.syncedNames = map[string]uint64{}, map[string]uint64{}
	}
	d.nodes = append(d.nodes, n)
	if parent != 0 {
		d.rename(parent, "", n, name)
	}
	return n
}

// rename gives a node a name in a folder, and takes another there from it.
func (d *Disk) rename(folder uint64, removed string, n *node, added string) {
	d.order++
	change := naming{order: d.order, removed: removed, added: added}
	f := d.nodes[folder]
	if n != nil {
		change.number = n.number
		n.parent, n.name, n.gone = folder, added, false
	}
	change.apply(f.names)
	f.namings, f.mtime = append(f.namings, change), time.Now()
}

// sync makes durable what the node holds.
func (n *node) sync() {
	n.synced, n.changes = n.file.clone(), nil
	if n.names != nil {
		n.syncedNames, n.namings = maps.Clone(n.names), nil
	}
}

// path returns where a node was last named.
func (d *Disk) path(number uint64) string {
	if n := d.nodes[number]; number != rootNumber {
		return filepath.Join(d.path(n.parent), n.name)
	}
	return ""
}

// refused asks whether an operation is to fail.
func (d *Disk) refused(op Op, number uint64, name string) fuse.Status {
	if d.fail == nil {
		return fuse.OK
	}
	return fuse.Status(d.fail(op, filepath.Join(d.path(number), name)))
}

// drop takes the bytes of a file that lost its name off the disk.
func (d *Disk) drop(number uint64) {
	n := d.nodes[number]
	n.gone = true
	d.used -= n.file.size
}
