// The fused path: chooses between its kernels.
#include "scoring/cuda/device/fused_launch.cuh"

namespace rlvr::cuda {

namespace {

void launch_fused(Job job, const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
                  FusedKernel kernel, const Device& device) {
  use_device(device.index);
  if (work.rows == 0 || work.columns == 0) return;
  if (!fits_counters(work)) {
    throw CudaFailure("linear_fused: more than 2^30 rows, columns or units of work in one call");
  }
  if (!fused_supported(device.index, kernel)) {
    throw CudaFailure("linear_fused: this GPU cannot run the kernel asked for");
  }
  if (kernel == FusedKernel::kMma) {
    launch_fused_mma(job, hidden, weight, work, device);
  } else {
    launch_fused_wgmma(job, hidden, weight, work, kernel == FusedKernel::kWgmmaPairs, device);
  }
}

}  // namespace

bool fused_supported(int device, FusedKernel kernel) {
  const int major = device_attribute(cudaDevAttrComputeCapabilityMajor, device);
  const int minor = device_attribute(cudaDevAttrComputeCapabilityMinor, device);
  return kernel == FusedKernel::kMma ? major >= 8 : major == 9 && minor == 0;
}

void fused_target_logits(const HalfMatrix& hidden, const HalfMatrix& gathered, float* out,
                         FusedKernel kernel, const Device& device) {
  Work work = {};
  work.rows = hidden.rows;
  work.columns = gathered.rows;
  work.depth = hidden.columns;
  work.diagonal = out;
  launch_fused(Job::kDiagonal, hidden, gathered, work, kernel, device);
}

void fused_fold(const HalfMatrix& hidden, const HalfMatrix& weight, const std::int64_t* targets,
                const float* target_logits, const RowOptions& options, void* states,
                FusedKernel kernel, const Device& device) {
  Work work = {};
  work.rows = hidden.rows;
  work.columns = weight.rows;
  work.depth = hidden.columns;
  work.targets = targets;
  work.stored_targets = target_logits;
  work.temperatures = {options.temperatures, options.temperature};
  work.transform = transform_of(options);
  work.states = static_cast<PartialState*>(states);
  launch_fused(Job::kFold, hidden, weight, work, kernel, device);
}

}  // namespace rlvr::cuda
