// Tests of launches through the functions of the CUDA runtime.
#include <cuda_runtime.h>

#include "machine/hopper.hpp"
#include "machine/tests/check.hpp"

namespace machine::tests {

namespace {

void count_threads(int* threads, unsigned of_cluster) {
  if (rlvr::cuda::hopper::cluster_rank() == of_cluster) ++*threads;
}

cudaError_t launch_count(unsigned blocks, unsigned cluster, std::size_t shared, int* threads) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {cluster, 1, 1};
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(64);
  config.dynamicSmemBytes = shared;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, count_threads, threads, 1u);
}

}  // namespace

TEST(a_launch_runs_every_thread_of_the_grid) {
  int threads = 0;
  CHECK(launch_count(6, 2, 0, &threads) == cudaSuccess);
  CHECK(threads == 3 * 64);
}

TEST(launches_that_the_runtime_rejects_are_rejected) {
  int threads = 0;
  CHECK(launch_count(5, 2, 0, &threads) == cudaErrorInvalidConfiguration);
  CHECK(launch_count(0, 1, 0, &threads) == cudaErrorInvalidConfiguration);
  CHECK(launch_count(2, 2, 100 << 10, &threads) == cudaErrorInvalidConfiguration);
  constexpr auto kShared = cudaFuncAttributeMaxDynamicSharedMemorySize;
  CHECK(cudaFuncSetAttribute(count_threads, kShared, 228 << 10) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(count_threads, kShared, 100 << 10) == cudaSuccess);
  CHECK(launch_count(2, 2, 100 << 10, &threads) == cudaSuccess);
  CHECK(threads == 64);
}

}  // namespace machine::tests
