package backend

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
static void trim(void) { malloc_trim(0); }
#else
static void trim(void) {}
#endif
*/
import "C"

import "runtime/debug"

// ReleaseMemory gives back to the system what Go and the C library, which XLA allocates from, hold in reserve.
func ReleaseMemory() {
	debug.FreeOSMemory()
	C.trim()
}
