// What the device headers are compiled for: nvcc; plain C++, for tests that call their functions;
// or the tests' machine, which runs whole kernels on the host. That build defines
// RLVR_HOST_MACHINE, and finds beside its sources what CUDA C++ gives a kernel (machine/cuda.hpp:
// threadIdx, __syncthreads, shuffles, dynamic_shared, the keywords) and the instructions under the
// names of hopper.cuh and ampere.cuh (machine/hopper.hpp, machine/ampere.hpp).
#pragma once

#if defined(RLVR_HOST_MACHINE)
#include <machine/cuda.hpp>
#elif defined(__CUDACC__)
#include <cuda_runtime.h>

namespace rlvr::cuda {

// The shared memory that a launch asks for.
__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return bytes;
}

}  // namespace rlvr::cuda
#endif

#if defined(__CUDA_ARCH__)
#define RLVR_UNROLL _Pragma("unroll")
#else
#define RLVR_UNROLL
#endif
