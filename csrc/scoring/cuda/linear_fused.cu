// The fused path: chooses the kernel.
#include "scoring/cuda/device/fused_launch.cuh"

namespace rlvr::cuda {

namespace {

// Makes the device current and checks the arguments. Returns false where there is nothing to
// compute.
bool prepared(std::int64_t rows, std::int64_t columns, std::int64_t depth, FusedKernel kernel,
              const Device& device) {
  use_device(device.index);
  if (rows == 0 || columns == 0) return false;
  if (!fits_counters(rows, columns, depth)) {
    throw CudaFailure("linear_fused: more than 2^30 rows, columns or units of work in one call");
  }
  if (!fused_supported(device.index, kernel)) {
    throw CudaFailure("linear_fused: this GPU cannot run the kernel asked for");
  }
  return true;
}

void launch_fused(Job job, const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
                  FusedKernel kernel, const Device& device) {
  if (!prepared(work.rows, work.columns, work.depth, kernel, device)) return;
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
                FusedKernel kernel, bool logprob_only, const Device& device) {
  if (logprob_only && !transform_of(options).plain()) {
    throw CudaFailure("linear_fused: the log-prob alone takes no bias, scale or softcap");
  }
  Work work = {};
  work.rows = hidden.rows;
  work.columns = weight.rows;
  work.depth = hidden.columns;
  work.targets = targets;
  work.stored_targets = target_logits;
  work.temperatures = {options.temperatures, options.temperature};
  work.transform = transform_of(options);
  work.states = static_cast<PartialState*>(states);
  launch_fused(logprob_only ? Job::kLogprob : Job::kFold, hidden, weight, work, kernel, device);
}

void fused_pair_fold(const HalfMatrix& hidden_p, const HalfMatrix& weight_p,
                     const HalfMatrix& hidden_q, const HalfMatrix& weight_q,
                     const RowOptions& options, void* states, FusedKernel kernel,
                     const Device& device) {
  if (kernel == FusedKernel::kMma) throw CudaFailure("linear_fused: pairs need a wgmma kernel");
  if (!transform_of(options).plain()) {
    throw CudaFailure("linear_fused: pairs take no bias, scale or softcap");
  }
  PairWork work = {};
  work.rows = hidden_p.rows;
  work.columns = weight_p.rows;
  work.depth_p = hidden_p.columns;
  work.depth_q = hidden_q.columns;
  work.temperatures = {options.temperatures, options.temperature};
  work.states = static_cast<PartialPair*>(states);
  const std::int64_t depth = work.depth_p > work.depth_q ? work.depth_p : work.depth_q;
  if (!prepared(work.rows, work.columns, depth, kernel, device)) return;
  launch_fused_pair_wgmma(hidden_p, weight_p, hidden_q, weight_q, work,
                          kernel == FusedKernel::kWgmmaPairs, device);
}

}  // namespace rlvr::cuda
