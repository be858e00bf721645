package store

// NetworkFuse is networkFuse.
func NetworkFuse(kind string) string { return networkFuse(kind) }

// NetworkMagic is networkMagic.
func NetworkMagic(magic uint32) string { return networkMagic(magic) }
