// The compilers of the device headers: nvcc; plain C++ for tests that call single functions; or
// plain C++ for the tests' machine, which runs whole kernels on the host (tests/cuda/machine). The
// build for the machine defines RLVR_HOST_MACHINE. Its include path has the built-ins of CUDA C++
// (machine/cuda.hpp: threadIdx, __syncthreads, shuffles, dynamic_shared, the keywords) and the
// instructions of hopper.cuh and ampere.cuh (machine/hopper.hpp, machine/ampere.hpp).
#pragma once

#if defined(RLVR_HOST_MACHINE)
#include <machine/cuda.hpp>
#elif defined(__CUDACC__)
#include <cuda_runtime.h>

namespace rlvr::cuda {

// The dynamic shared memory of the launch.
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
