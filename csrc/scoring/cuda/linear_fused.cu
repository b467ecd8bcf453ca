// Token statistics from hidden states in one kernel, for Hopper: the product runs on the tensor
// cores, and the accumulators are folded where they lie, in registers. No logit reaches memory.
//
// One block owns 128 rows: a producer warp feeds a ring of shared-memory stages through the copy
// engine, and two warpgroups of 64 rows each multiply and fold. A unit of work is 128 rows x
// kTileColumns columns of the vocabulary, and leaves one partial state a row, so that rows split by
// the vocabulary alone; finish_tiles merges them. With kCluster = 2, two blocks of neighbouring
// rows share each tile of the weight: each loads half of it and sends it to both.
//
// The sum over H runs in steps of 16, in order, and is never split: so the logit of a target, made
// by the same instructions from gathered rows of the weight (kDiagonal), has the bits of the sweep.
#include <cuda.h>

#include "scoring/cuda/device/hopper.cuh"
#include "scoring/cuda/device/launch.cuh"
#include "scoring/cuda/device/register_fold.cuh"

namespace rlvr::cuda {

namespace {

inline constexpr int kRows = 128;         // of a block: two warpgroups of 64
inline constexpr int kColumns = 256;      // of a tile of the vocabulary
inline constexpr int kDepth = 64;         // of H, a stage: 128 bytes, one swizzled row
inline constexpr int kStages = 4;         // 48 KiB each
inline constexpr int kThreads = 3 * 128;  // producer, two consumers

enum class Job { kFold, kDiagonal };

struct Work {
  std::int64_t rows;
  std::int64_t columns;  // of the vocabulary; for kDiagonal, of the gathered weight: the rows
  std::int64_t depth;    // H
  const float* stored_targets;
  Temperatures temperatures;
  PartialState* states;
  float* diagonal;
};

// Two bytes an element: bfloat16 and float16 alike.
struct Stage {
  std::uint16_t a[kRows * kDepth];
  std::uint16_t b[kColumns * kDepth];
};

struct Shared {
  Stage stages[kStages];
  std::uint64_t full[kStages];
  std::uint64_t empty[kStages];
};

inline constexpr std::size_t kSharedBytes = sizeof(Shared) + 1024;  // to align it

template <Job kJob>
RLVR_HD std::int64_t tiles_of_unit(std::int64_t unit_first, std::int64_t columns) {
  if (kJob == Job::kDiagonal) return 1;
  const std::int64_t left = (columns - unit_first + kColumns - 1) / kColumns;
  const std::int64_t most = kTileColumns / kColumns;
  return left < most ? left : most;
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

inline constexpr int kConsumerWarps = 8;

// Where the ring stands: the stage, and how often it has been round.
struct Ring {
  int stage = 0;
  std::uint32_t parity = 0;
  __device__ void next() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <typename T>
__device__ __forceinline__ void multiply(float (&d)[kFragment], std::uint64_t a, std::uint64_t b,
                                         int accumulate);
template <>
__device__ __forceinline__ void multiply<Bfloat16>(float (&d)[kFragment], std::uint64_t a,
                                                   std::uint64_t b, int accumulate) {
  hopper::multiply_bfloat16(d, a, b, accumulate);
}
template <>
__device__ __forceinline__ void multiply<Float16>(float (&d)[kFragment], std::uint64_t a,
                                                  std::uint64_t b, int accumulate) {
  hopper::multiply_float16(d, a, b, accumulate);
}

// Columns at or past the end of the vocabulary arrive as zeros: they are masked here.
__device__ __forceinline__ void mask_past_end(float (&d)[kFragment], int thread, int columns_left) {
#pragma unroll
  for (int pair = 0; pair < kFragment / 4; ++pair) {
#pragma unroll
    for (int element = 0; element < 2; ++element) {
      if (fragment_column(thread, pair, element) >= columns_left) {
        d[fragment_index(0, pair, element)] = negative_infinity();
        d[fragment_index(1, pair, element)] = negative_infinity();
      }
    }
  }
}

__device__ __forceinline__ float quad_exchange(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

// The four threads of a row agree on the largest logit, and add up in a fixed order.
__device__ __forceinline__ void merge_quad(RowFold& row, float units) {
  float most = row.largest;
  most = larger(most, quad_exchange(most, 1));
  most = larger(most, quad_exchange(most, 2));
  row.move_to(most, units);
#pragma unroll
  for (int mask = 1; mask <= 2; mask *= 2) {
    const Sums other = {quad_exchange(row.sums.sum, mask), quad_exchange(row.sums.weighted, mask),
                        quad_exchange(row.sums.above, mask),
                        __shfl_xor_sync(0xffffffffu, row.sums.count_above, mask)};
    row.sums = row.sums + other;
  }
}

#endif

template <typename T, Job kJob, int kCluster>
__global__ void __launch_bounds__(kThreads, 1)
    fused_rows(const __grid_constant__ CUtensorMap hidden,
               const __grid_constant__ CUtensorMap weight, const Work work) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ unsigned char raw[];
  Shared& shared = *reinterpret_cast<Shared*>((reinterpret_cast<std::uintptr_t>(raw) + 1023) &
                                              ~std::uintptr_t{1023});
  const int group = static_cast<int>(threadIdx.x) / 128;
  const std::uint32_t rank = kCluster > 1 ? hopper::cluster_rank() : 0;

  if (threadIdx.x == 0) {
    hopper::prefetch_map(&hidden);
    hopper::prefetch_map(&weight);
    for (int s = 0; s < kStages; ++s) {
      hopper::barrier_init(&shared.full[s], 1);
      hopper::barrier_init(&shared.empty[s], kConsumerWarps * kCluster);
    }
    hopper::barrier_init_fence();
  }
  __syncthreads();
  if (kCluster > 1) hopper::cluster_sync();

  const std::int64_t row_groups = ceil_div(work.rows, kRows * kCluster);
  const std::int64_t units =
      kJob == Job::kDiagonal ? row_groups : row_groups * ceil_div(work.columns, kTileColumns);
  const int steps = static_cast<int>(ceil_div(work.depth, kDepth));
  const std::int64_t first_unit = blockIdx.x / kCluster;
  const std::int64_t unit_stride = gridDim.x / kCluster;

  if (group == 0) {
    hopper::fewer_registers<40>();
    if (threadIdx.x == 0) {
      Ring ring;
      for (std::int64_t unit = first_unit; unit < units; unit += unit_stride) {
        const std::int64_t row =
            (unit % row_groups) * (kRows * kCluster) + static_cast<std::int64_t>(rank) * kRows;
        const std::int64_t begin =
            kJob == Job::kDiagonal ? (unit % row_groups) * (kRows * kCluster) / kColumns * kColumns
                                   : unit / row_groups * kTileColumns;
        const std::int64_t tiles = tiles_of_unit<kJob>(begin, work.columns);
        for (std::int64_t tile = 0; tile < tiles; ++tile) {
          const int column = static_cast<int>(begin + tile * kColumns);
          for (int step = 0; step < steps; ++step) {
            Stage& stage = shared.stages[ring.stage];
            std::uint64_t* full = &shared.full[ring.stage];
            // A fresh barrier counts its "previous" phase as over: the first round does not wait.
            hopper::barrier_wait(&shared.empty[ring.stage], ring.parity ^ 1);
            hopper::barrier_expect(full, sizeof(Stage));
            hopper::copy_box(&hidden, full, stage.a, step * kDepth, static_cast<int>(row));
            if constexpr (kCluster == 1) {
              hopper::copy_box(&weight, full, stage.b, step * kDepth, column);
            } else {
              constexpr int kShare = kColumns / kCluster;
              const int share = static_cast<int>(rank) * kShare;
              hopper::copy_box_to(&weight, full, stage.b + share * kDepth, step * kDepth,
                                  column + share, static_cast<std::uint16_t>((1 << kCluster) - 1));
            }
            ring.next();
          }
        }
      }
    }
    __syncwarp();
  } else {
    hopper::more_registers<232>();
    const int thread = static_cast<int>(threadIdx.x) % 128;
    const int lane = thread % 32;
    const int block_row = (group - 1) * 64;
    Ring ring;
    float d[kFragment];
    for (std::int64_t unit = first_unit; unit < units; unit += unit_stride) {
      const std::int64_t first_row = (unit % row_groups) * (kRows * kCluster) +
                                     static_cast<std::int64_t>(rank) * kRows + block_row;
      const std::int64_t begin =
          kJob == Job::kDiagonal ? (unit % row_groups) * (kRows * kCluster) / kColumns * kColumns
                                 : unit / row_groups * kTileColumns;
      const std::int64_t tiles = tiles_of_unit<kJob>(begin, work.columns);
      const std::int64_t upper = first_row + fragment_row(thread, 0);
      const std::int64_t lower = first_row + fragment_row(thread, 1);
      RowFold folds[2];
      float units_of_row[2] = {1.0f, 1.0f};
      float target_logit[2] = {0.0f, 0.0f};
      if (kJob == Job::kFold) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          folds[half].clear();
          const std::int64_t row = half == 0 ? upper : lower;
          if (row < work.rows) {
            units_of_row[half] = units_of(work.temperatures(row));
            target_logit[half] = work.stored_targets[row];
          }
        }
      }
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        int last_stage = 0;
        for (int step = 0; step < steps; ++step) {
          hopper::barrier_wait(&shared.full[ring.stage], ring.parity);
          const Stage& stage = shared.stages[ring.stage];
          const std::uint64_t a = hopper::tile_descriptor(stage.a + block_row * kDepth);
          const std::uint64_t b = hopper::tile_descriptor(stage.b);
          hopper::product_fence();
#pragma unroll
          for (int k = 0; k < kDepth / 16; ++k) {
            // Sixteen elements on are 32 bytes on: two units of a descriptor.
            multiply<T>(d, a + 2 * k, b + 2 * k, step == 0 && k == 0 ? 0 : 1);
          }
          hopper::product_commit();
          // The step before is done once only this one is pending: its stage is free.
          hopper::product_wait<1>();
          if (step > 0 && lane < kCluster) {
            hopper::barrier_arrive(&shared.empty[last_stage], static_cast<std::uint32_t>(lane));
          }
          last_stage = ring.stage;
          ring.next();
        }
        hopper::product_wait<0>();
        if (lane < kCluster) {
          hopper::barrier_arrive(&shared.empty[last_stage], static_cast<std::uint32_t>(lane));
        }
        const std::int64_t column = begin + tile * kColumns;
        if constexpr (kJob == Job::kDiagonal) {
#pragma unroll
          for (int pair = 0; pair < kFragment / 4; ++pair) {
#pragma unroll
            for (int element = 0; element < 2; ++element) {
              const std::int64_t c = column + fragment_column(thread, pair, element);
              if (c == upper && upper < work.rows) {
                work.diagonal[c] = d[fragment_index(0, pair, element)];
              }
              if (c == lower && lower < work.rows) {
                work.diagonal[c] = d[fragment_index(1, pair, element)];
              }
            }
          }
        } else {
          if (column + kColumns > work.columns) {
            mask_past_end(d, thread, static_cast<int>(work.columns - column));
          }
          folds[0].push<0>(d, units_of_row[0], target_logit[0]);
          folds[1].push<1>(d, units_of_row[1], target_logit[1]);
        }
      }
      if constexpr (kJob == Job::kFold) {
        const std::int64_t segments = ceil_div(work.columns, kTileColumns);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          merge_quad(folds[half], units_of_row[half]);
          const std::int64_t row = half == 0 ? upper : lower;
          if (lane % 4 == 0 && row < work.rows) {
            work.states[row * segments + unit / row_groups] =
                make_partial(folds[half], units_of_row[half]);
          }
        }
      }
    }
  }
  // No block may leave while another still arrives at its barriers.
  if (kCluster > 1) {
    __syncthreads();
    hopper::cluster_sync();
  }
#else
  __trap();  // fused_supported() is false on other GPUs
#endif
}

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

template <typename T, Job kJob, int kCluster>
void run(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work,
         const Device& device) {
  const auto kernel = fused_rows<T, kJob, kCluster>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(kSharedBytes)),
        "linear_fused");
  int processors = 0;
  check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device.index),
        "linear_fused");
  const std::int64_t row_groups = ceil_div(work.rows, kRows * kCluster);
  const std::int64_t units =
      kJob == Job::kDiagonal ? row_groups : row_groups * ceil_div(work.columns, kTileColumns);
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

template <Job kJob>
void dispatch(const HalfMatrix& hidden, const HalfMatrix& weight, const Work& work, int cluster,
              const Device& device) {
  if (work.rows == 0) return;
  const bool bfloat16 = hidden.type == LogitType::kBfloat16;
  if (cluster == 2) {
    const auto call = bfloat16 ? run<Bfloat16, kJob, 2> : run<Float16, kJob, 2>;
    call(hidden, weight, work, device);
  } else {
    const auto call = bfloat16 ? run<Bfloat16, kJob, 1> : run<Float16, kJob, 1>;
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
  dispatch<Job::kDiagonal>(hidden, gathered, work, cluster, device);
}

void fused_fold(const HalfMatrix& hidden, const HalfMatrix& weight, const float* target_logits,
                const RowOptions& options, void* states, int cluster, const Device& device) {
  use_device(device.index);
  Work work = {};
  work.rows = hidden.rows;
  work.columns = weight.rows;
  work.depth = hidden.columns;
  work.stored_targets = target_logits;
  work.temperatures = {options.temperatures, options.temperature};
  work.states = static_cast<PartialState*>(states);
  dispatch<Job::kFold>(hidden, weight, work, cluster, device);
}

}  // namespace rlvr::cuda
