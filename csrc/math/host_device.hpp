// RLVR_HD marks a function that nvcc compiles for the host and for the device, so that the CPU
// tests run the functions that the kernels run.
#pragma once

#if defined(__CUDACC__)
#define RLVR_HD __host__ __device__ __forceinline__
#else
#define RLVR_HD inline
#endif
