// Token statistics from hidden states in one kernel, for GPUs from sm_80 on: the algorithm of
// fused_wgmma.cuh with products of warps.
//
// One block multiplies 128 rows by tiles of 256 columns; each of the eight warps multiplies 32 x
// 128. Shared memory holds a ring of four stages of 32 elements of H: while the warps multiply one
// stage, three copies are pending. Each warp folds its own columns in registers; the two warps of a
// row merge at the end of a unit of work.
#pragma once

#include "scoring/cuda/device/ampere.cuh"
#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/fused_work.cuh"

namespace rlvr::cuda::ampere {

inline constexpr int kRows = 128;
inline constexpr int kColumns = 256;
inline constexpr int kDepth = 32;
inline constexpr int kStages = 4;  // of 24 KiB
inline constexpr int kThreads = 256;
inline constexpr int kWarpRows = 32;
inline constexpr int kWarpColumns = 128;
inline constexpr int kFragments = kWarpRows / 16;
inline constexpr int kFragment = kWarpColumns / 2;  // accumulators of a thread: 2 rows x 32 columns

struct Stage {
  std::uint16_t a[kRows * kDepth];
  std::uint16_t b[kColumns * kDepth];
};

// At most 99 KiB, the limit of a block on sm_86 and sm_89.
struct alignas(16) Shared {
  Stage stages[kStages];
  RowFold right[kRows];  // written by the warps of the right columns for the warps of the left ones
};
static_assert(sizeof(Shared) <= 99 * 1024);

// Row-major, rows at multiples of 16 bytes.
struct Operand {
  const std::uint16_t* data;
  std::int64_t row_stride;
};

// The offset of a piece of eight elements in a stage. A row is 64 bytes: four pieces, permuted so
// that the pieces of one number of eight consecutive rows occupy all 32 banks.
RLVR_HD int piece(int row, int number) { return row * kDepth + ((number ^ (row >> 1)) & 3) * 8; }

// Rows [first, first + kCount) of a matrix, kDepth elements from `depth` on; zeros outside the
// matrix.
template <int kCount>
__device__ __forceinline__ void copy_rows(const Operand& from, std::int64_t rows, int first,
                                          std::int64_t width, int depth, std::uint16_t* to) {
  const int number = static_cast<int>(threadIdx.x) % 4;
  const int column = depth + number * 8;
  RLVR_UNROLL
  for (int i = 0; i < kCount / (kThreads / 4); ++i) {
    const int row = static_cast<int>(threadIdx.x) / 4 + i * (kThreads / 4);
    const bool inside = first + row < rows && column < width;
    const std::int64_t at =
        inside ? static_cast<std::int64_t>(first + row) * from.row_stride + column : 0;
    copy_async(to + piece(row, number), from.data + at, inside ? 16 : 0);
  }
}

template <typename T>
__device__ __forceinline__ void multiply(float (&d)[kFragment], int at, const std::uint32_t (&a)[4],
                                         std::uint32_t b0, std::uint32_t b1);
template <>
__device__ __forceinline__ void multiply<Bfloat16>(float (&d)[kFragment], int at,
                                                   const std::uint32_t (&a)[4], std::uint32_t b0,
                                                   std::uint32_t b1) {
  multiply_bfloat16(d, at, a, b0, b1);
}
template <>
__device__ __forceinline__ void multiply<Float16>(float (&d)[kFragment], int at,
                                                  const std::uint32_t (&a)[4], std::uint32_t b0,
                                                  std::uint32_t b1) {
  multiply_float16(d, at, a, b0, b1);
}

// Multiplies the part of a stage that belongs to a warp. a and b: the warp's first row and first
// column in the stage.
template <typename T>
__device__ __forceinline__ void multiply_stage(float (&d)[kFragments][kFragment],
                                               const std::uint16_t* a, const std::uint16_t* b,
                                               int lane) {
  RLVR_UNROLL
  for (int k = 0; k < kDepth / 16; ++k) {
    // The matrices of A: rows 0-7 and 8-15 of the first eight elements, then of the next eight; of
    // B: both eights of columns 0-7, then of columns 8-15. Sixteen rows further, the pieces have
    // the same permutation.
    const std::uint16_t* of_a = a + piece(lane % 16, 2 * k + lane / 16);
    const std::uint16_t* of_b = b + piece(lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2);
    std::uint32_t left[kFragments][4];
    RLVR_UNROLL
    for (int m = 0; m < kFragments; ++m) load_matrices(left[m], of_a + m * 16 * kDepth);
    RLVR_UNROLL
    for (int n = 0; n < kWarpColumns / 16; ++n) {
      std::uint32_t right[4];
      load_matrices(right, of_b + n * 16 * kDepth);
      RLVR_UNROLL
      for (int m = 0; m < kFragments; ++m) {
        multiply<T>(d[m], 8 * n, left[m], right[0], right[1]);
        multiply<T>(d[m], 8 * n + 4, left[m], right[2], right[3]);
      }
    }
  }
}

// kPlain: no bias, scale or softcap.
template <typename T, Job kJob, bool kPlain>
__global__ void __launch_bounds__(kThreads, 1)
    fused_rows(const Operand hidden, const Operand weight, const Work work) {
  Shared& shared = *reinterpret_cast<Shared*>(dynamic_shared());
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = warp % 4 * kWarpRows;
  const int warp_column = warp / 4 * kWarpColumns;
  const WorkUnits<kJob> units(work.rows, work.columns, kRows);
  const int steps = static_cast<int>(ceil_div(work.depth, kDepth));

  for (int unit = static_cast<int>(blockIdx.x); unit < units.count;
       unit += static_cast<int>(gridDim.x)) {
    const int first_row = units.group(unit) * kRows;
    const TileRange<kJob, kColumns> tiles(units, unit, kRows, work.columns);

    // The next tile and step to copy. Past the last step a group is empty, so that copy_wait counts
    // the same number of groups.
    int copied_tile = 0;
    int copied_step = 0;
    const auto copy_next = [&](Stage& stage) {
      if (copied_tile < tiles.count) {
        const int depth = copied_step * kDepth;
        copy_rows<kRows>(hidden, work.rows, first_row, work.depth, depth, stage.a);
        copy_rows<kColumns>(weight, work.columns, tiles.begin + copied_tile * kColumns, work.depth,
                            depth, stage.b);
        if (++copied_step == steps) {
          copied_step = 0;
          ++copied_tile;
        }
      }
      copy_commit();
    };
    RLVR_UNROLL
    for (int s = 0; s < kStages - 1; ++s) copy_next(shared.stages[s]);

    FusedRow rows[kFragments][2];
    if constexpr (kJob != Job::kDiagonal) {
      RLVR_UNROLL
      for (int m = 0; m < kFragments; ++m) {
        RLVR_UNROLL
        for (int half = 0; half < 2; ++half) {
          rows[m][half].template begin<kPlain>(
              work, first_row + warp_row + m * 16 + fragment_row(lane, half));
        }
      }
    }

    int current = 0;
    for (int tile = 0; tile < tiles.count; ++tile) {
      float d[kFragments][kFragment] = {};
      for (int step = 0; step < steps; ++step) {
        copy_wait<kStages - 2>();
        __syncthreads();  // all parts of the stage are in, and no warp reads the stage that is
                          // filled next
        copy_next(shared.stages[(current + kStages - 1) % kStages]);
        const Stage& stage = shared.stages[current];
        multiply_stage<T>(d, stage.a + warp_row * kDepth, stage.b + warp_column * kDepth, lane);
        current = (current + 1) % kStages;
      }
      const int column = tiles.begin + tile * kColumns + warp_column;
      RLVR_UNROLL
      for (int m = 0; m < kFragments; ++m) {
        if constexpr (kJob == Job::kDiagonal) {
          const int row = first_row + warp_row + m * 16;
          store_diagonal(d[m], lane, column, row + fragment_row(lane, 0),
                         row + fragment_row(lane, 1), work);
        } else {
          FusedRow& upper = rows[m][0];
          FusedRow& lower = rows[m][1];
          make_logits<kPlain>(d[m], lane, column, work.columns, work.transform);
          upper.fold.template push<0, kPlain, kJob == Job::kLogprob>(
              d[m], upper.units_per_logit, upper.target_logit, work.transform);
          lower.fold.template push<1, kPlain, kJob == Job::kLogprob>(
              d[m], lower.units_per_logit, lower.target_logit, work.transform);
        }
      }
    }

    if constexpr (kJob != Job::kDiagonal) {
      RLVR_UNROLL
      for (int m = 0; m < kFragments; ++m) {
        RLVR_UNROLL
        for (int half = 0; half < 2; ++half) {
          merge_quad(rows[m][half].fold, rows[m][half].units_per_logit);
          const int row = warp_row + m * 16 + fragment_row(lane, half);
          if (warp_column != 0 && lane % 4 == 0) shared.right[row] = rows[m][half].fold;
        }
      }
    }
    __syncthreads();  // right[] is written, and no warp reads a stage any more
    if constexpr (kJob != Job::kDiagonal) {
      const std::int64_t segments = ceil_div(work.columns, kFusedColumns);
      RLVR_UNROLL
      for (int m = 0; m < kFragments; ++m) {
        RLVR_UNROLL
        for (int half = 0; half < 2; ++half) {
          const int local_row = warp_row + m * 16 + fragment_row(lane, half);
          const std::int64_t row = first_row + local_row;
          if (warp_column != 0 || lane % 4 != 0 || row >= work.rows) continue;
          FusedRow& left = rows[m][half];
          left.fold.merge(shared.right[local_row], left.units_per_logit);
          work.states[row * segments + units.segment(unit)] =
              make_partial(left.fold, left.units_per_logit);
        }
      }
    }
  }
}

}  // namespace rlvr::cuda::ampere
