// Token statistics from hidden states in one kernel, for Hopper: the tensor cores compute the
// product, and the threads fold the accumulators in registers. No logit is written to memory.
//
// One block computes 128 rows: a producer warp fills a ring of shared-memory stages through the
// tensor copy engine, and two consumer warpgroups of 64 rows each multiply and fold. With kCluster
// = 2, two blocks of neighbouring rows share each tile of the weight: each block loads half of the
// tile and multicasts that half to both.
#pragma once

#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/fused_work.cuh"
#include "scoring/cuda/device/wgmma_ring.cuh"

namespace rlvr::cuda::hopper {

inline constexpr int kColumns = 256;  // of a tile of the vocabulary
using TokenRing = Ring<kColumns, 4>;  // 48 KiB a stage

// kPlain: no bias, scale or softcap.
template <typename T, Job kJob, int kCluster, bool kPlain>
__global__ void __launch_bounds__(kThreads, 1)
    fused_rows(const __grid_constant__ TensorMap hidden, const __grid_constant__ TensorMap weight,
               const Work work) {
#if defined(RLVR_HOPPER)
  TokenRing& ring = aligned_shared<TokenRing>();
  const int group = static_cast<int>(threadIdx.x) / 128;
  const int rank = kCluster > 1 ? static_cast<int>(cluster_rank()) : 0;
  if (threadIdx.x == 0) {
    prefetch_map(&hidden);
    prefetch_map(&weight);
  }
  prepare<kCluster>(ring);

  constexpr int kGroupRows = kRows * kCluster;
  const WorkUnits<kJob> units(work.rows, work.columns, kGroupRows);
  const int steps = static_cast<int>(ceil_div(work.depth, kDepth));
  const int first_unit = static_cast<int>(blockIdx.x) / kCluster;
  const int unit_stride = static_cast<int>(gridDim.x) / kCluster;

  if (group == 0) {
    fewer_registers<40>();
    if (threadIdx.x == 0) {
      Place<4> place;
      for (int unit = first_unit; unit < units.count; unit += unit_stride) {
        const int row = units.group(unit) * kGroupRows + rank * kRows;
        const TileRange<kJob, kColumns> tiles(units, unit, kGroupRows, work.columns);
        for (int tile = 0; tile < tiles.count; ++tile) {
          for (int step = 0; step < steps; ++step) {
            fill_stage<kCluster>(ring, place, hidden, weight, step * kDepth, row,
                                 tiles.begin + tile * kColumns, rank);
          }
        }
      }
    }
    __syncwarp();
  } else {
    more_registers<232>();
    const int thread = static_cast<int>(threadIdx.x) % 128;
    const int lane = thread % 32;
    const int block_row = (group - 1) * 64;
    Place<4> place;
    float d[kColumns / 2];  // 2 rows x 64
    for (int unit = first_unit; unit < units.count; unit += unit_stride) {
      const int first_row = units.group(unit) * kGroupRows + rank * kRows + block_row;
      const TileRange<kJob, kColumns> tiles(units, unit, kGroupRows, work.columns);
      const int upper = first_row + fragment_row(thread, 0);
      const int lower = first_row + fragment_row(thread, 1);
      FusedRow rows[2];
      if constexpr (kJob != Job::kDiagonal) {
        rows[0].template begin<kPlain>(work, upper);
        rows[1].template begin<kPlain>(work, lower);
      }
      for (int tile = 0; tile < tiles.count; ++tile) {
        multiply_tile<T, kCluster>(d, ring, place, steps, block_row, lane);
        const int column = tiles.begin + tile * kColumns;
        if constexpr (kJob == Job::kDiagonal) {
          store_diagonal(d, thread, column, upper, lower, work);
        } else {
          make_logits<kPlain>(d, thread, column, work.columns, work.transform);
          rows[0].fold.template push<0, kPlain, kJob == Job::kLogprob>(
              d, rows[0].units_per_logit, rows[0].target_logit, work.transform);
          rows[1].fold.template push<1, kPlain, kJob == Job::kLogprob>(
              d, rows[1].units_per_logit, rows[1].target_logit, work.transform);
        }
      }
      if constexpr (kJob != Job::kDiagonal) {
        const std::int64_t segments = ceil_div(work.columns, kFusedColumns);
        RLVR_UNROLL
        for (int half = 0; half < 2; ++half) {
          merge_quad(rows[half].fold, rows[half].units_per_logit);
          const int row = half == 0 ? upper : lower;
          if (lane % 4 == 0 && row < work.rows) {
            work.states[row * segments + units.segment(unit)] =
                make_partial(rows[half].fold, rows[half].units_per_logit);
          }
        }
      }
    }
  }
  leave_together<kCluster>();
#else
  __trap();  // the launcher uses this kernel on Hopper only
#endif
}

}  // namespace rlvr::cuda::hopper
