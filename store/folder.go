package store

// CheckFolder fails if dir, which must exist, lies where Open would refuse to keep a database: on a network file system.
// It writes nothing.
func CheckFolder(dir string) error { return refuseNetwork(dir) }
