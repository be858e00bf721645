// Package disktest is a disk for tests that can lose power. It is a file system in memory, mounted with FUSE, that keeps what was
// written apart from what was synced, so that an Image of any moment shows what a cut of the power at that moment leaves.
//
// It promises what POSIX does and nothing that one file system adds. The bytes and the size of a file are durable once the file was
// synced (fsync, fdatasync or msync), a name (made, renamed, removed) once its folder was. Even a folder that was synced is lost with all
// that is in it where its own name was not. Modes count as durable at once.
//
// Of what was not synced a cut keeps nothing, the changes up to some moment with the last of them torn, or any sectors of 512 bytes of any
// changes: see Loss. The disk can also be full or fail: SetCapacity, Fail.
//
//	disk, err := disktest.Mount(dir)
//	disk.OnSync(func(m disktest.Moment) { cuts = append(cuts, m.Before) })
//	… // programs work in dir
//	err = cuts[7].Restore(elsewhere, disktest.KeepScattered, seed)
//
// A process that serves a disk must not use it itself: Go may stop its goroutines while one of its threads waits for them.
// Own runs a test in a mount namespace of its own, so that nothing stays mounted, however the test ends.
package disktest
