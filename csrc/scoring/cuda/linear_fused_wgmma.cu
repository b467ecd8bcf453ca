// Launches the fused products and folds of device/fused_wgmma.cuh and device/fused_pair_wgmma.cuh.
#include <cuda.h>

#include "scoring/cuda/device/fused_launch.cuh"
#include "scoring/cuda/device/fused_pair_wgmma.cuh"
#include "scoring/cuda/device/fused_wgmma.cuh"

namespace rlvr::cuda {

namespace {

using namespace hopper;

using EncodeTiled = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*,
                                 const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                                 const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// Looked up in the driver at run time, because the module must load without a driver.
EncodeTiled encode_tiled() {
  static const EncodeTiled function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult status;
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                           cudaEnableDefault, &status),
          "linear_fused_wgmma: cuTensorMapEncodeTiled");
    if (found == nullptr || status != cudaDriverEntryPointSuccess) {
      throw CudaFailure(
          "linear_fused_wgmma: the driver has no cuTensorMapEncodeTiled (CUDA 12 or newer)");
    }
    return reinterpret_cast<EncodeTiled>(found);
  }();
  return function;
}

CUtensorMap matrix_map(const HalfMatrix& matrix, int box_rows) {
  CUtensorMap map;
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(matrix.columns),
                               static_cast<cuuint64_t>(matrix.rows)};
  const cuuint64_t strides[1] = {static_cast<cuuint64_t>(matrix.row_stride) * 2};
  const cuuint32_t box[2] = {kDepth, static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[2] = {1, 1};
  const auto type = matrix.type == LogitType::kBfloat16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                        : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  const CUresult status =
      encode_tiled()(&map, type, 2, const_cast<void*>(matrix.data), sizes, strides, box, steps,
                     CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                     CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw CudaFailure("linear_fused_wgmma: no tensor map for a matrix of " +
                      std::to_string(matrix.rows) + " x " + std::to_string(matrix.columns) +
                      " (driver error " + std::to_string(static_cast<int>(status)) + ")");
  }
  return map;
}

template <typename T, Job kJob, int kCluster, bool kPlain>
void run(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
         const Device& device) {
  const CUtensorMap hidden_map = matrix_map(hidden, kRows);
  const CUtensorMap weight_map = matrix_map(weight, kColumns / kCluster);
  launch_persistent("linear_fused_wgmma", fused_rows<T, kJob, kCluster, kPlain>,
                    WorkUnits<kJob>(work.rows, work.columns, kRows * kCluster).count, kCluster,
                    kThreads, TokenRing::kBytes, device, hidden_map, weight_map, work);
}

template <Job kJob, bool kPlain>
void dispatch(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
              bool block_pairs, const Device& device) {
  const bool bfloat16 = hidden.type == LogitType::kBfloat16;
  auto call = bfloat16 ? run<Bfloat16, kJob, 1, kPlain> : run<Float16, kJob, 1, kPlain>;
  if (block_pairs) call = bfloat16 ? run<Bfloat16, kJob, 2, kPlain> : run<Float16, kJob, 2, kPlain>;
  call(hidden, weight, work, device);
}

template <typename T, int kCluster>
void run_pair(const HalfMatrix& hidden_p, const HalfMatrix& weight_p, const HalfMatrix& hidden_q,
              const HalfMatrix& weight_q, const PairWork& work, const Device& device) {
  const WorkUnits<Job::kFold> units(work.rows, work.columns, kRows * kCluster);
  const CUtensorMap maps[4] = {
      matrix_map(hidden_p, kRows), matrix_map(weight_p, kPairColumns / kCluster),
      matrix_map(hidden_q, kRows), matrix_map(weight_q, kPairColumns / kCluster)};
  launch_persistent("linear_fused_wgmma: pair", fused_pair_rows<T, kCluster>, units.count, kCluster,
                    kThreads, PairRing::kBytes, device, maps[0], maps[1], maps[2], maps[3], work);
}

}  // namespace

void launch_fused_pair_wgmma(const HalfMatrix& hidden_p, const HalfMatrix& weight_p,
                             const HalfMatrix& hidden_q, const HalfMatrix& weight_q,
                             const PairWork& work, bool block_pairs, const Device& device) {
  const bool bfloat16 = hidden_p.type == LogitType::kBfloat16;
  auto call = bfloat16 ? run_pair<Bfloat16, 1> : run_pair<Float16, 1>;
  if (block_pairs) call = bfloat16 ? run_pair<Bfloat16, 2> : run_pair<Float16, 2>;
  call(hidden_p, weight_p, hidden_q, weight_q, work, device);
}

void launch_fused_wgmma(Job job, const HalfMatrix& hidden, const HalfMatrix& weight,
                        const Work& work, bool block_pairs, const Device& device) {
  auto call = dispatch<Job::kDiagonal, true>;
  if (job == Job::kLogprob) call = dispatch<Job::kLogprob, true>;
  if (job == Job::kFold) {
    call = work.transform.plain() ? dispatch<Job::kFold, true> : dispatch<Job::kFold, false>;
  }
  call(hidden, weight, work, block_pairs, device);
}

}  // namespace rlvr::cuda
