// A GPU made of the CPU: it computes with the CPU plug-in and says that it is CUDA, with one device whose allocator may hand out
// 1 GiB and has held 300 MiB.
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "pjrt_c_api.h"

static const PJRT_Api *cpu;

static PJRT_Error *platform_name(PJRT_Client_PlatformName_Args *args) {
	args->platform_name = "cuda";
	args->platform_name_size = strlen(args->platform_name);
	return NULL;
}

static PJRT_Error *create(PJRT_Client_Create_Args *args) {
	PJRT_Client_Create_Args plain = *args;
	plain.num_options = 0; // the CPU plug-in knows none of them
	PJRT_Error *err = cpu->PJRT_Client_Create(&plain);
	args->client = plain.client;
	return err;
}

static PJRT_Error *devices(PJRT_Client_AddressableDevices_Args *args) {
	PJRT_Error *err = cpu->PJRT_Client_AddressableDevices(args);
	args->num_addressable_devices = 1;
	return err;
}

static PJRT_Error *memory_stats(PJRT_Device_MemoryStats_Args *args) {
	args->peak_bytes_in_use = 300 << 20;
	args->bytes_limit = 1 << 30;
	args->peak_bytes_in_use_is_set = args->bytes_limit_is_set = true;
	return NULL;
}

const PJRT_Api *GetPjrtApi(void) {
	static PJRT_Api api;
	void *lib = dlopen(getenv("RANKSWEEP_TEST_CPU_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	if (!lib) return NULL;
	cpu = ((const PJRT_Api *(*)(void))dlsym(lib, "GetPjrtApi"))();
	size_t known = cpu->struct_size < sizeof api ? cpu->struct_size : sizeof api;
	memcpy(&api, cpu, known);
	api.struct_size = known;
	api.PJRT_Client_PlatformName = platform_name;
	api.PJRT_Client_Create = create;
	api.PJRT_Client_AddressableDevices = devices;
	api.PJRT_Device_MemoryStats = memory_stats;
	return &api;
}
