// The divergence of two models from their hidden states in one kernel, for Hopper: the algorithm of
// fused_wgmma.cuh with both models' products of one tile in registers. So a tile has half the
// columns. The steps over the H of p come first, then the steps over the H of q.
#pragma once

#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/fused_work.cuh"
#include "scoring/cuda/device/wgmma_ring.cuh"

namespace rlvr::cuda::hopper {

inline constexpr int kPairColumns = 128;
using PairRing = Ring<kPairColumns, 6>;  // 32 KiB a stage

template <typename T, int kCluster>
__global__ void __launch_bounds__(kThreads, 1)
    fused_pair_rows(const __grid_constant__ TensorMap hidden_p,
                    const __grid_constant__ TensorMap weight_p,
                    const __grid_constant__ TensorMap hidden_q,
                    const __grid_constant__ TensorMap weight_q, const PairWork work) {
#if defined(RLVR_HOPPER)
  PairRing& ring = aligned_shared<PairRing>();
  const int group = static_cast<int>(threadIdx.x) / 128;
  const int rank = kCluster > 1 ? static_cast<int>(cluster_rank()) : 0;
  if (threadIdx.x == 0) {
    prefetch_map(&hidden_p);
    prefetch_map(&weight_p);
    prefetch_map(&hidden_q);
    prefetch_map(&weight_q);
  }
  prepare<kCluster>(ring);

  constexpr int kGroupRows = kRows * kCluster;
  const WorkUnits<Job::kFold> units(work.rows, work.columns, kGroupRows);
  const int steps_p = static_cast<int>(ceil_div(work.depth_p, kDepth));
  const int steps_q = static_cast<int>(ceil_div(work.depth_q, kDepth));
  const int first_unit = static_cast<int>(blockIdx.x) / kCluster;
  const int unit_stride = static_cast<int>(gridDim.x) / kCluster;

  if (group == 0) {
    fewer_registers<40>();
    if (threadIdx.x == 0) {
      Place<6> place;
      for (int unit = first_unit; unit < units.count; unit += unit_stride) {
        const int row = units.group(unit) * kGroupRows + rank * kRows;
        const TileRange<Job::kFold, kPairColumns> tiles(units, unit, kGroupRows, work.columns);
        for (int tile = 0; tile < tiles.count; ++tile) {
          const int column = tiles.begin + tile * kPairColumns;
          for (int step = 0; step < steps_p; ++step) {
            fill_stage<kCluster>(ring, place, hidden_p, weight_p, step * kDepth, row, column, rank);
          }
          for (int step = 0; step < steps_q; ++step) {
            fill_stage<kCluster>(ring, place, hidden_q, weight_q, step * kDepth, row, column, rank);
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
    Place<6> place;
    float p[kPairColumns / 2];  // 2 rows x 32
    float q[kPairColumns / 2];
    for (int unit = first_unit; unit < units.count; unit += unit_stride) {
      const int first_row = units.group(unit) * kGroupRows + rank * kRows + block_row;
      const TileRange<Job::kFold, kPairColumns> tiles(units, unit, kGroupRows, work.columns);
      PairRowFold folds[2];
      float units_per_logit[2] = {1.0f, 1.0f};
      RLVR_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int row = first_row + fragment_row(thread, half);
        if (row < work.rows) units_per_logit[half] = units_per_logit_of(work.temperatures(row));
      }
      for (int tile = 0; tile < tiles.count; ++tile) {
        multiply_tile<T, kCluster>(p, ring, place, steps_p, block_row, lane);
        multiply_tile<T, kCluster>(q, ring, place, steps_q, block_row, lane);
        const int column = tiles.begin + tile * kPairColumns;
        make_logits<true>(p, thread, column, work.columns, LogitTransform{});
        make_logits<true>(q, thread, column, work.columns, LogitTransform{});
        folds[0].template push<0>(p, q, units_per_logit[0]);
        folds[1].template push<1>(p, q, units_per_logit[1]);
      }
      const std::int64_t segments = ceil_div(work.columns, kFusedColumns);
      RLVR_UNROLL
      for (int half = 0; half < 2; ++half) {
        merge_quad(folds[half], units_per_logit[half]);
        const int row = first_row + fragment_row(thread, half);
        if (lane % 4 == 0 && row < work.rows) {
          work.states[row * segments + units.segment(unit)] =
              make_partial(folds[half], units_per_logit[half]);
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
