// A CUDA plug-in that can be loaded without a GPU. It refuses to start where NVIDIA's libraries were not loaded before it, and to make
// a client: then it says with which options it was asked to.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "pjrt_c_api.h"

static char text[1024];

static void destroy(PJRT_Error_Destroy_Args *args) {}

static void message(PJRT_Error_Message_Args *args) {
	args->message = text;
	args->message_size = strlen(text);
}

static PJRT_Error *code(PJRT_Error_GetCode_Args *args) {
	args->code = PJRT_Error_Code_FAILED_PRECONDITION;
	return NULL;
}

static PJRT_Error *start(PJRT_Plugin_Initialize_Args *args) {
	if (dlopen("libcublas.so.13", RTLD_LAZY | RTLD_NOLOAD)) return NULL;
	strcpy(text, "cuBLAS is not loaded");
	return (PJRT_Error *)text;
}

static PJRT_Error *attributes(PJRT_Plugin_Attributes_Args *args) {
	args->num_attributes = 0;
	return NULL;
}

static PJRT_Error *client(PJRT_Client_Create_Args *args) {
	strcpy(text, "asked for:");
	for (size_t i = 0; i < args->num_options; i++) {
		const PJRT_NamedValue *o = &args->create_options[i];
		char *end = text + strlen(text);
		if (o->type == PJRT_NamedValue_kBool) sprintf(end, " %.*s=%d", (int)o->name_size, o->name, o->bool_value);
		if (o->type == PJRT_NamedValue_kInt64List)
			sprintf(end, " %.*s=%ld/%zu", (int)o->name_size, o->name, (long)o->int64_array_value[0], o->value_size);
	}
	return (PJRT_Error *)text;
}

const PJRT_Api *GetPjrtApi(void) {
	static PJRT_Api api = {
		.struct_size = PJRT_Api_STRUCT_SIZE,
		.pjrt_api_version = {.struct_size = PJRT_Api_Version_STRUCT_SIZE, .minor_version = PJRT_API_MINOR},
		.PJRT_Error_Destroy = destroy, .PJRT_Error_Message = message, .PJRT_Error_GetCode = code,
		.PJRT_Plugin_Initialize = start, .PJRT_Plugin_Attributes = attributes, .PJRT_Client_Create = client,
	};
	return &api;
}
