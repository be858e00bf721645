package disktest

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// The kernel may keep names and attributes: everything goes through it.
const keep = uint64(time.Hour / time.Second)

const notEmpty = fuse.Status(syscall.ENOTEMPTY)

// full says that there is no room.
const full = fuse.Status(syscall.ENOSPC)

func (n *node) attributes(out *fuse.Attr) {
	out.Ino, out.Size, out.Blocks, out.Mode, out.Nlink = n.number, uint64(n.file.size), uint64(n.file.size+511)/512, n.mode, 1
	out.SetTimes(&n.mtime, &n.mtime, &n.mtime)
	if n.gone {
		out.Nlink = 0
	}
}

func (n *node) entry(out *fuse.EntryOut) {
	out.NodeId, out.EntryValid, out.AttrValid = n.number, keep, keep
	n.attributes(&out.Attr)
}

// Lookup implements fuse.RawFileSystem, as all below.
func (d *Disk) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	number, ok := d.nodes[in.NodeId].names[name]
	if !ok {
		return fuse.ENOENT
	}
	d.nodes[number].entry(out)
	return fuse.OK
}

// GetAttr returns a node's attributes.
func (d *Disk) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	out.AttrValid = keep
	d.nodes[in.NodeId].attributes(&out.Attr)
	return fuse.OK
}

// SetAttr truncates, or changes a mode or a time.
func (d *Disk) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.nodes[in.NodeId]
	if size, ok := in.GetSize(); ok {
		if status := d.refused(Write, n.number, ""); status != fuse.OK {
			return status
		}
		d.change(n, change{size: int64(size)})
	}
	if mode, ok := in.GetMode(); ok {
		n.mode = n.mode&syscall.S_IFMT | mode&0o7777
	}
	if mtime, ok := in.GetMTime(); ok {
		n.mtime = mtime
	}
	out.AttrValid = keep
	n.attributes(&out.Attr)
	return fuse.OK
}

// change carries out a write or a truncation.
func (d *Disk) change(n *node, c change) {
	d.order++
	c.order = d.order
	before := n.file.size
	n.file.apply(c)
	n.changes, n.mtime = append(n.changes, c), time.Now()
	if !n.gone {
		d.used += n.file.size - before
	}
}

// Mkdir makes a folder.
func (d *Disk) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return d.make(in.NodeId, name, syscall.S_IFDIR|in.Mode&^in.Umask, out)
}

func (d *Disk) make(parent uint64, name string, mode uint32, out *fuse.EntryOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if status := d.refused(Create, parent, name); status != fuse.OK {
		return status
	}
	if _, ok := d.nodes[parent].names[name]; ok {
		return fuse.Status(syscall.EEXIST)
	}
	if d.used >= d.capacity {
		return full
	}
	d.add(parent, name, mode).entry(out)
	return fuse.OK
}

// Create makes a file and opens it.
func (d *Disk) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return d.make(in.NodeId, name, syscall.S_IFREG|in.Mode&0o7777&^in.Umask, &out.EntryOut)
}

// Unlink removes a file's name.
func (d *Disk) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return d.remove(in.NodeId, name)
}

// Rmdir removes an empty folder.
func (d *Disk) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return d.remove(in.NodeId, name)
}

func (d *Disk) remove(folder uint64, name string) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	number, ok := d.nodes[folder].names[name]
	if !ok {
		return fuse.ENOENT
	}
	if len(d.nodes[number].names) > 0 {
		return notEmpty
	}
	d.rename(folder, name, nil, "")
	d.drop(number)
	return fuse.OK
}

// Rename moves a name, over another one where there is one. Between two folders the new name and the loss of the old one are durable each
// on its own.
func (d *Disk) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if status := d.refused(Create, in.Newdir, to); status != fuse.OK {
		return status
	}
	number, ok := d.nodes[in.NodeId].names[from]
	if !ok {
		return fuse.ENOENT
	}
	old, replaced := d.nodes[in.Newdir].names[to]
	if in.Flags&^syscall.O_RDONLY != 0 && (replaced || in.Flags != 1) { // RENAME_NOREPLACE is 1
		return fuse.Status(syscall.EEXIST)
	}
	if replaced && len(d.nodes[old].names) > 0 {
		return notEmpty
	}
	if in.NodeId == in.Newdir {
		d.rename(in.Newdir, from, d.nodes[number], to)
	} else {
		d.rename(in.Newdir, "", d.nodes[number], to)
		d.rename(in.NodeId, from, nil, "")
	}
	if replaced && old != number {
		d.drop(old)
	}
	return fuse.OK
}

// Open opens a file.
func (d *Disk) Open(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// Read reads from a file.
func (d *Disk) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if status := d.refused(Read, in.NodeId, ""); status != fuse.OK {
		return nil, status
	}
	return fuse.ReadResultData(buf[:d.nodes[in.NodeId].file.read(buf, int64(in.Offset))]), fuse.OK
}

// Write writes into a file.
func (d *Disk) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, end := d.nodes[in.NodeId], int64(in.Offset)+int64(len(data))
	if status := d.refused(Write, n.number, ""); status != fuse.OK {
		return 0, status
	}
	if end > n.file.size && d.used+end-n.file.size > d.capacity {
		return 0, full
	}
	if len(data) > 0 {
		d.change(n, change{at: int64(in.Offset), data: slices.Clone(data)})
	}
	return uint32(len(data)), fuse.OK
}

// Flush is called when a descriptor closes, which makes nothing durable.
func (d *Disk) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

// Release has nothing to give back.
func (d *Disk) Release(<-chan struct{}, *fuse.ReleaseIn) {}

// Fsync makes a file durable.
func (d *Disk) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return d.sync(in.NodeId) }

// FsyncDir makes a folder's names durable.
func (d *Disk) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status { return d.sync(in.NodeId) }

func (d *Disk) sync(number uint64) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if status := d.refused(Sync, number, ""); status != fuse.OK {
		return status
	}
	n := d.nodes[number]
	if d.onSync == nil {
		n.sync()
		return fuse.OK
	}
	m := Moment{Path: d.path(number), Before: d.image()}
	n.sync()
	m.Content, m.After = n.synced.bytes(), d.image()
	d.onSync(m)
	return fuse.OK
}

// OpenDir remembers a folder's names, so that removing some while reading hides none.
func (d *Disk) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.nodes[in.NodeId].names
	var entries []fuse.DirEntry
	for _, name := range slices.Sorted(maps.Keys(names)) {
		entries = append(entries, fuse.DirEntry{Name: name, Ino: names[name], Mode: d.nodes[names[name]].mode})
	}
	d.handle++
	d.handles[d.handle], out.Fh = entries, d.handle
	return fuse.OK
}

// ReadDir lists a folder.
func (d *Disk) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := d.handles[in.Fh]
	for _, e := range entries[min(in.Offset, uint64(len(entries))):] {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

// ReleaseDir forgets an open folder.
func (d *Disk) ReleaseDir(in *fuse.ReleaseIn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.handles, in.Fh)
}

// StatFs says how much room there is.
func (d *Disk) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	out.Bsize, out.Frsize, out.NameLen = pageBytes, pageBytes, 255
	out.Blocks = uint64(d.capacity) / pageBytes
	out.Bfree = uint64(max(0, d.capacity-d.used)) / pageBytes
	out.Bavail, out.Files, out.Ffree = out.Bfree, 1<<20, 1<<20
	return fuse.OK
}
