// Launchers of the fused kernels, for linear_fused.cu.
#pragma once

#include "scoring/cuda/device/fused_work.cuh"
#include "scoring/cuda/device/launch.cuh"

namespace rlvr::cuda {

void launch_fused_mma(Job job, const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
                      const Device& device);
// block_pairs: two blocks share each tile of the weight.
void launch_fused_wgmma(Job job, const HalfMatrix& hidden, const HalfMatrix& weight,
                        const Work& work, bool block_pairs, const Device& device);
void launch_fused_pair_wgmma(const HalfMatrix& hidden_p, const HalfMatrix& weight_p,
                             const HalfMatrix& hidden_q, const HalfMatrix& weight_q,
                             const PairWork& work, bool block_pairs, const Device& device);

inline int device_attribute(cudaDeviceAttr attribute, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, device), "rlvr_fast: no CUDA device");
  return value;
}

// Launches persistent blocks in clusters of `cluster` blocks: one block for each multiprocessor, or
// fewer where there are fewer units of work.
template <typename... Parameters, typename... Arguments>
void launch_persistent(const char* name, void (*kernel)(Parameters...), int units, int cluster,
                       int threads, std::size_t shared_bytes, const Device& device,
                       const Arguments&... arguments) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared_bytes)),
        name);
  const int resident = device_attribute(cudaDevAttrMultiProcessorCount, device.index) / cluster;
  const int clusters = units < resident ? units : resident;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(clusters * cluster));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(device.stream);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = static_cast<unsigned>(cluster);
  attribute.val.clusterDim.y = 1;
  attribute.val.clusterDim.z = 1;
  config.attrs = &attribute;
  config.numAttrs = cluster > 1 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, arguments...), name);
}

}  // namespace rlvr::cuda
