/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the CUDA runtime whose results ONNX Runtime reads while it builds a session; the rest return 0.
   Device memory is host memory, kernels are not launched, and the device is an invention of compute capability 8.6. */
#include <driver_types.h>
#include <stdlib.h>
#include <string.h>

static int some_memory(void **address, size_t bytes) {
    *address = calloc(1, bytes ? bytes : 1);
    return *address ? 0 : 2;
}

int cudaMalloc(void **address, size_t bytes) { return some_memory(address, bytes); }
int cudaMallocHost(void **address, size_t bytes) { return some_memory(address, bytes); }
int cudaHostAlloc(void **address, size_t bytes, unsigned flags) { return some_memory(address, bytes); }
int cudaMallocFromPoolAsync(void **address, size_t bytes, void *pool, void *stream) { return some_memory(address, bytes); }
int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) { memcpy(to, from, bytes); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) { memcpy(to, from, bytes); return 0; }
int cudaMemGetInfo(size_t *unused, size_t *total) { *unused = 7ull << 30; *total = 8ull << 30; return 0; }

int cudaStreamCreate(void **stream) { return some_memory(stream, 64); }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return some_memory(stream, 64); }
int cudaStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }
int cudaEventCreate(void **event) { return some_memory(event, 64); }
int cudaEventCreateWithFlags(void **event, unsigned flags) { return some_memory(event, 64); }

int cudaGetDevice(int *device) { *device = 0; return 0; }
int cudaGetDeviceCount(int *count) { *count = 1; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute, int device) { *value = 0; return 0; }
int cudaRuntimeGetVersion(int *version) { *version = CUDA_VERSION; return 0; }
int cudaDriverGetVersion(int *version) { *version = CUDA_VERSION; return 0; }
const char *cudaGetErrorName(int error) { return "stub"; }
const char *cudaGetErrorString(int error) { return "stub"; }
void **__cudaRegisterFatBinary(void *code) { static void *handle[4]; return handle; }

int cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "stub");
    properties->major = 8;
    properties->minor = 6;
    properties->warpSize = 32;
    properties->multiProcessorCount = 16;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsPerMultiProcessor = 1536;
    properties->sharedMemPerBlock = 48 << 10;
    properties->totalGlobalMem = 8ull << 30;
    return 0;
}
