// The CUDA runtime of the machine.
#include <cuda.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "machine/machine.hpp"

namespace machine {

namespace {

constexpr std::size_t kDefaultShared = 48 * 1024;
constexpr int kThreadsOfProcessor = 2048;
constexpr std::size_t kSharedOfProcessor = 228 * 1024;
constexpr std::size_t kSharedOfSystem = 1024;  // of each block, on sm_90

std::map<const void*, std::size_t>& allowed_shared() {
  static std::map<const void*, std::size_t> bytes;
  return bytes;
}

}  // namespace

cudaError_t allow_shared(const void* kernel, int bytes) {
  if (bytes < 0 || static_cast<std::size_t>(bytes) > kMostShared) return cudaErrorInvalidValue;
  allowed_shared()[kernel] = static_cast<std::size_t>(bytes);
  return cudaSuccess;
}

int resident_blocks(int threads, std::size_t shared_bytes) {
  const auto by_shared = static_cast<int>(kSharedOfProcessor / (shared_bytes + kSharedOfSystem));
  return std::min(kThreadsOfProcessor / threads, by_shared);
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   const std::function<void()>& thread) {
  const auto found = allowed_shared().find(kernel);
  const std::size_t allowed =
      std::max(kDefaultShared, found == allowed_shared().end() ? 0 : found->second);
  unsigned cluster = 1;
  for (unsigned i = 0; i < config.numAttrs; ++i) cluster = config.attrs[i].val.clusterDim.x;
  if (config.dynamicSmemBytes > allowed || config.gridDim.x == 0 || config.gridDim.y != 1 ||
      config.gridDim.z != 1 || config.gridDim.x % cluster != 0 || config.blockDim.y != 1 ||
      config.blockDim.z != 1) {
    return cudaErrorInvalidConfiguration;
  }
  run({config.gridDim.x, cluster, static_cast<int>(config.blockDim.x), config.dynamicSmemBytes},
      thread);
  return cudaSuccess;
}

}  // namespace machine

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "not supported by the machine";
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return cudaErrorInvalidDevice;
  std::strcpy(properties->name, "the tests' machine");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return cudaErrorInvalidDevice;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = machine::configuration().processors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      return cudaSuccess;
  }
  return cudaErrorInvalidValue;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* status) {
  if (std::strcmp(symbol, "cuTensorMapEncodeTiled") != 0) return cudaErrorInvalidValue;
  *function = reinterpret_cast<void*>(&cuTensorMapEncodeTiled);
  *status = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}
