// Package disk is a disk in memory under SQLite: a file system of SQLite's own kind (a VFS) whose files keep apart what processes see
// and what a power cut would leave. A write that was not synced may be lost, survive, be torn at a sector, or survive without the ones
// before it; a sync may lie; any operation may find the disk full or broken, or be the last of its process.
//
// Register makes it the file system of every database of the program; Mount shows a process's disk in a folder. The databases are
// opened as always, by their paths.
package disk
