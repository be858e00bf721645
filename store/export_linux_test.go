package store

// NetworkFuse is networkFuse.
func NetworkFuse(kind string) string { return networkFuse(kind) }
