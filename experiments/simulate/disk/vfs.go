package disk

// #include <stdlib.h>
// #include "vfs.h"
import "C"

import (
	"fmt"
	"path/filepath"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// What SQLite is answered.
const (
	answerOK       = 0
	answerBusy     = 5
	answerIO       = 10
	answerShort    = 10 | 2<<8
	answerNoEntry  = 10 | 23<<8
	answerFull     = 13
	answerCantOpen = 14
)

const openCreates = 4 // SQLITE_OPEN_CREATE

// folders are the processes that may open files, by the folder whose files they open.
var folders sync.Map //nolint:gochecknoglobals // SQLite's file system is the program's

// Register makes disks the file system of every database that the program opens.
var Register = sync.OnceValue(func() error { //nolint:gochecknoglobals // once
	if rc := C.register_disk(); rc != answerOK {
		return fmt.Errorf("register the file system: SQLite answers %d", rc)
	}
	return nil
})

// Mount makes a process's disk appear in a folder until the function that it returns is called.
func Mount(folder string, p *Process) (unmount func()) {
	folders.Store(folder, p)
	return func() { folders.Delete(folder) }
}

// of finds the process that opens a path, and the file's name.
func of(path *C.char) (p *Process, name string) {
	whole := C.GoString(path)
	if v, ok := folders.Load(filepath.Dir(whole)); ok {
		p, _ = v.(*Process)
	}
	return p, filepath.Base(whole)
}

func handleOf(h C.uintptr_t) *handle {
	v, _ := cgo.Handle(h).Value().(*handle)
	return v
}

func bytesAt(p unsafe.Pointer, n C.int) []byte { return unsafe.Slice((*byte)(p), int(n)) }

//export diskOpen
func diskOpen(path *C.char, flags C.int, out *C.uintptr_t) C.int {
	h := &handle{file: &file{}, process: &Process{disk: &Disk{}}} // SQLite's own scratch file
	if path != nil {
		p, name := of(path)
		if p == nil {
			return answerCantOpen
		}
		var rc int
		if h, rc = p.open(name, flags&openCreates != 0); rc != answerOK {
			return C.int(rc)
		}
	}
	*out = C.uintptr_t(cgo.NewHandle(h))
	return answerOK
}

//export diskClose
func diskClose(h C.uintptr_t) C.int {
	handleOf(h).close()
	cgo.Handle(h).Delete()
	return answerOK
}

//export diskRead
func diskRead(h C.uintptr_t, p unsafe.Pointer, n C.int, at C.sqlite3_int64) C.int {
	return C.int(handleOf(h).read(bytesAt(p, n), int64(at)))
}

//export diskWrite
func diskWrite(h C.uintptr_t, p unsafe.Pointer, n C.int, at C.sqlite3_int64) C.int {
	return C.int(handleOf(h).write(bytesAt(p, n), int64(at)))
}

//export diskTruncate
func diskTruncate(h C.uintptr_t, size C.sqlite3_int64) C.int {
	return C.int(handleOf(h).truncate(int64(size)))
}

//export diskSync
func diskSync(h C.uintptr_t) C.int { return C.int(handleOf(h).sync()) }

//export diskSize
func diskSize(h C.uintptr_t, out *C.sqlite3_int64) C.int {
	size, rc := handleOf(h).size()
	*out = C.sqlite3_int64(size)
	return C.int(rc)
}

//export diskLock
func diskLock(h C.uintptr_t, level C.int) C.int { return C.int(handleOf(h).lock(int(level))) }

//export diskUnlock
func diskUnlock(h C.uintptr_t, level C.int) C.int { return C.int(handleOf(h).unlock(int(level))) }

//export diskReserved
func diskReserved(h C.uintptr_t, out *C.int) C.int {
	*out = 0
	if handleOf(h).reserved() {
		*out = 1
	}
	return answerOK
}

//export diskShmMap
func diskShmMap(h C.uintptr_t, region, size, extend C.int, out *unsafe.Pointer) C.int {
	p, rc := handleOf(h).shmMap(int(region), int(size), extend != 0)
	*out = p
	return C.int(rc)
}

//export diskShmLock
func diskShmLock(h C.uintptr_t, at, n, flags C.int) C.int {
	return C.int(handleOf(h).shmLock(int(at), int(n), int(flags)))
}

//export diskShmUnmap
func diskShmUnmap(h C.uintptr_t) C.int {
	handleOf(h).shmUnmap()
	return answerOK
}

//export diskDelete
func diskDelete(path *C.char) C.int {
	p, name := of(path)
	if p == nil {
		return answerIO
	}
	return C.int(p.remove(name))
}

//export diskAccess
func diskAccess(path *C.char, out *C.int) C.int {
	*out = 0
	if p, name := of(path); p != nil && p.exists(name) {
		*out = 1
	}
	return answerOK
}

func allocate(n int) unsafe.Pointer { return C.calloc(1, C.size_t(n)) }
func free(p unsafe.Pointer)         { C.free(p) }
