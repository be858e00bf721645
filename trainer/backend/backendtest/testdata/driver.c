// A driver whose state is given when it is compiled.
int cuInit(unsigned flags) { return STATUS; }

int cuDriverGetVersion(int *version) {
	*version = VERSION;
	return 0;
}

int cuGetErrorName(int status, const char **name) {
	*name = "CUDA_ERROR_NO_DEVICE";
	return 0;
}
