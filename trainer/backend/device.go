package backend

/*
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// The part of the PJRT C API that go-xla does not wrap. The API is a struct of its size, an extension pointer, a version
// (size, extension pointer, two ints) and then function pointers whose order never changes within major version 0
// (openxla/xla, xla/pjrt/c/pjrt_c_api.h). The test compares both positions with the header that go-xla ships.
enum { headerBytes = 40, errorDestroy = 0, deviceMemoryStats = 34 };

typedef struct { size_t struct_size; void *extension_start; void *error; } destroyArgs;

typedef struct {
	size_t struct_size;
	void *extension_start;
	void *device;
	int64_t bytes_in_use;
	int64_t peak_bytes_in_use;
	bool peak_bytes_in_use_is_set;
	int64_t num_allocs;
	bool num_allocs_is_set;
	int64_t largest_alloc_size;
	bool largest_alloc_size_is_set;
	int64_t bytes_limit;
	bool bytes_limit_is_set;
	char more[256]; // statistics not read here; new ones are added at the end
} memoryStatsArgs;

// sizeofMemoryStats is PJRT_Device_MemoryStats_Args_STRUCT_SIZE: up to and with peak_pool_bytes_is_set.
enum { sizeofMemoryStats = 48 + 8*16 + 9 };

typedef void *(*pjrtCall)(void *args);

static pjrtCall entry(const void *api, int index) {
	size_t at = headerBytes + index * sizeof(pjrtCall);
	if (*(const size_t *)api < at + sizeof(pjrtCall)) return NULL;
	return *(const pjrtCall *)((const char *)api + at);
}

// memoryStats reads the peak and the limit of the device's allocator, each -1 where the plug-in cannot tell.
static void memoryStats(const void *api, void *device, int64_t *peak, int64_t *limit) {
	*peak = *limit = -1;
	pjrtCall stats = entry(api, deviceMemoryStats), destroy = entry(api, errorDestroy);
	if (!stats || !destroy) return;
	memoryStatsArgs args;
	memset(&args, 0, sizeof args);
	args.struct_size = sizeofMemoryStats;
	args.device = device;
	void *err = stats(&args);
	if (err) {
		destroyArgs d = {sizeof d, NULL, err};
		destroy(&d);
		return;
	}
	if (args.peak_bytes_in_use_is_set) *peak = args.peak_bytes_in_use;
	if (args.bytes_limit_is_set) *limit = args.bytes_limit;
}
*/
import "C"

import (
	"errors"
	"reflect"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// PeakDeviceBytes returns the most bytes that the allocator of the backend's first device has held at once, and where the
// number comes from. It is not ok where the plug-in cannot tell: on CPUs.
func PeakDeviceBytes(be compute.Backend) (n int64, source string, ok bool) {
	client, err := pjrtClient(be)
	if err != nil || len(client.AddressableDevices()) == 0 {
		return 0, "", false
	}
	if n, _ = memoryStats(client, client.AddressableDevices()[0]); n < 0 {
		return 0, "", false
	}
	return n, "PJRT allocator peak", true
}

// smallestDevice returns the bytes that the allocator of the smallest device may hand out; 0 where the plug-in cannot tell.
func smallestDevice(client *pjrt.Client) int64 {
	smallest := int64(0)
	for i, device := range client.AddressableDevices() {
		_, limit := memoryStats(client, device)
		if limit = max(limit, 0); i == 0 || limit < smallest {
			smallest = limit
		}
	}
	return smallest
}

// memoryStats returns the peak and the limit of a device's allocator, each -1 where the plug-in cannot tell.
func memoryStats(client *pjrt.Client, device *pjrt.Device) (peak, limit int64) {
	api, address := handle(client.Plugin(), "api"), handle(device, "cDevice")
	if api == nil || address == nil {
		return -1, -1
	}
	var p, l C.int64_t
	C.memoryStats(api, address, &p, &l)
	return int64(p), int64(l)
}

// pjrtClient digs the client out of an XLA backend, which does not export it.
func pjrtClient(be compute.Backend) (*pjrt.Client, error) {
	x, ok := be.(*xla.Backend)
	if !ok {
		return nil, errors.New("not an XLA backend")
	}
	client := (*pjrt.Client)(handle(x, "client"))
	if !client.IsValid() {
		return nil, errors.New("the XLA backend has been finalized")
	}
	return client, nil
}

// handle reads an unexported pointer field of a library's struct; nil when the field is gone.
func handle(structPointer any, field string) unsafe.Pointer {
	f := reflect.ValueOf(structPointer).Elem().FieldByName(field)
	if !f.IsValid() || f.Kind() != reflect.Pointer {
		return nil
	}
	return f.UnsafePointer()
}
