// Launches the fused product and fold of device/fused_rows.cuh.
#include <cuda.h>

#include "scoring/cuda/device/fused_rows.cuh"
#include "scoring/cuda/device/launch.cuh"

namespace rlvr::cuda {

namespace {

using namespace hopper;

using EncodeTiled = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*,
                                 const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                                 const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

// From the driver, at run time: the module must load where no driver is.
EncodeTiled encode_tiled() {
  static const EncodeTiled function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult status;
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                           cudaEnableDefault, &status),
          "linear_fused: cuTensorMapEncodeTiled");
    if (found == nullptr || status != cudaDriverEntryPointSuccess) {
      throw CudaFailure(
          "linear_fused: the driver has no cuTensorMapEncodeTiled (CUDA 12 or newer)");
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
    throw CudaFailure("linear_fused: no tensor map for a matrix of " + std::to_string(matrix.rows) +
                      " x " + std::to_string(matrix.columns) + " (driver error " +
                      std::to_string(static_cast<int>(status)) + ")");
  }
  return map;
}

template <typename T, Job kJob, int kCluster, bool kPlain>
void run(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
         const Device& device) {
  const auto kernel = fused_rows<T, kJob, kCluster, kPlain>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(kSharedBytes)),
        "linear_fused");
  int processors = 0;
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device.index),
        "linear_fused");
  const std::int64_t units = Units<kJob>(work, kRows * kCluster).count;
  const std::int64_t resident = processors / kCluster;
  const std::int64_t clusters = units < resident ? units : resident;
  const CUtensorMap hidden_map = matrix_map(hidden, kRows);
  const CUtensorMap weight_map = matrix_map(weight, kColumns / kCluster);

  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(clusters * kCluster));
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = kSharedBytes;
  config.stream = static_cast<cudaStream_t>(device.stream);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = kCluster;
  attribute.val.clusterDim.y = 1;
  attribute.val.clusterDim.z = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  check(cudaLaunchKernelEx(&config, kernel, hidden_map, weight_map, work), "linear_fused");
}

template <Job kJob, bool kPlain>
void dispatch(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work, int cluster,
              const Device& device) {
  if (work.rows == 0) return;
  if (!fits_counters(work)) {
    throw CudaFailure("linear_fused: more than 2^30 rows, columns or units of work in one call");
  }
  const bool bfloat16 = hidden.type == LogitType::kBfloat16;
  if (cluster == 2) {
    const auto call = bfloat16 ? run<Bfloat16, kJob, 2, kPlain> : run<Float16, kJob, 2, kPlain>;
    call(hidden, weight, work, device);
  } else {
    const auto call = bfloat16 ? run<Bfloat16, kJob, 1, kPlain> : run<Float16, kJob, 1, kPlain>;
    call(hidden, weight, work, device);
  }
}

}  // namespace

bool fused_supported(int device) {
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
        "rlvr_fast: no CUDA device");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
        "rlvr_fast: no CUDA device");
  return major == 9 && minor == 0;
}

void fused_target_logits(const HalfMatrix& hidden, const HalfMatrix& gathered, float* out,
                         int cluster, const Device& device) {
  use_device(device.index);
  Work work = {};
  work.rows = hidden.rows;
  work.columns = gathered.rows;
  work.depth = hidden.columns;
  work.diagonal = out;
  dispatch<Job::kDiagonal, true>(hidden, gathered, work, cluster, device);
}

void fused_fold(const HalfMatrix& hidden, const HalfMatrix& weight, const std::int64_t* targets,
                const float* target_logits, const RowOptions& options, void* states, int cluster,
                const Device& device) {
  use_device(device.index);
  Work work = {};
  work.rows = hidden.rows;
  work.columns = weight.rows;
  work.depth = hidden.columns;
  work.targets = targets;
  work.stored_targets = target_logits;
  work.temperatures = {options.temperatures, options.temperature};
  work.transform = transform_of(options);
  work.states = static_cast<PartialState*>(states);
  const auto call =
      work.transform.plain() ? dispatch<Job::kFold, true> : dispatch<Job::kFold, false>;
  call(hidden, weight, work, cluster, device);
}

}  // namespace rlvr::cuda
