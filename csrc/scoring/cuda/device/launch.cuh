// Shared parts of the launchers: the device, launches, and error messages.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "common/error.hpp"
#include "scoring/cuda/device/rows.cuh"
#include "scoring/cuda/device/segment_fold.cuh"
#include "scoring/cuda/launch.hpp"

namespace rlvr::cuda {

inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::string message = std::string(what) + ": " + cudaGetErrorString(status);
  if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver ||
      status == cudaErrorStubLibrary || status == cudaErrorSystemDriverMismatch) {
    message +=
        "; this needs an NVIDIA GPU and a driver for CUDA 13: see nvidia-smi, or move the tensors "
        "to the CPU";
  }
  throw CudaFailure(message);
}

// Makes the device current in this statically linked runtime, and does not restore the former
// device: torch has a separate runtime, whose current device is not visible here. The caller
// (rlvr_fast/scoring/kernels/cuda.py) selects and restores torch's current device.
inline void use_device(int device) {
  check(cudaSetDevice(device), "rlvr_fast: cannot use the CUDA device");
}

// The number of blocks has 64 bits and must fit a grid; callers cut rows accordingly. Launches do
// not use <<<>>>, because the tests compile launchers as plain C++.
template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), std::int64_t blocks, int threads,
            std::size_t shared_bytes, void* stream, const Arguments&... arguments) {
  if (blocks == 0) return;
  if (blocks > 0x7fffffff) throw CudaFailure(std::string(name) + ": more blocks than a grid holds");
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  check(cudaLaunchKernelEx(&config, kernel, arguments...), name);
}

inline LogitTransform transform_of(const RowOptions& options) {
  return {options.bias, options.scale, options.softcap};
}

template <typename T>
Rows<T> rows_of(const LogitRows& logits) {
  return {static_cast<const T*>(logits.data), logits.columns, logits.inner_rows,
          logits.outer_stride, logits.row_stride};
}

}  // namespace rlvr::cuda
