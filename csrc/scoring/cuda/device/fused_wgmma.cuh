// Token statistics from hidden states in one kernel, for Hopper: the product runs on the tensor
// cores, and the accumulators are folded where they lie, in registers. No logit reaches memory.
//
// One block owns 128 rows: a producer warp feeds a ring of shared-memory stages through the copy
// engine, and two warpgroups of 64 rows each multiply and fold. With kCluster = 2, two blocks of
// neighbouring rows share each tile of the weight: each loads half of it and sends it to both.
#pragma once

#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/fused_work.cuh"
#include "scoring/cuda/device/hopper.cuh"

namespace rlvr::cuda::hopper {

inline constexpr int kRows = 128;               // of a block: two warpgroups of 64
inline constexpr int kColumns = 256;            // of a tile of the vocabulary
inline constexpr int kDepth = 64;               // of H, a stage: 128 bytes, one swizzled row
inline constexpr int kStages = 4;               // 48 KiB each
inline constexpr int kThreads = 3 * 128;        // producer, two consumers
inline constexpr int kFragment = kColumns / 2;  // accumulators a thread: 2 rows x 64

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

#if defined(RLVR_HOPPER)

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
  multiply_bfloat16(d, a, b, accumulate);
}
template <>
__device__ __forceinline__ void multiply<Float16>(float (&d)[kFragment], std::uint64_t a,
                                                  std::uint64_t b, int accumulate) {
  multiply_float16(d, a, b, accumulate);
}

#endif

// kPlain: no bias, scale or softcap.
template <typename T, Job kJob, int kCluster, bool kPlain>
__global__ void __launch_bounds__(kThreads, 1)
    fused_rows(const __grid_constant__ TensorMap hidden, const __grid_constant__ TensorMap weight,
               const Work work) {
#if defined(RLVR_HOPPER)
  Shared& shared = *reinterpret_cast<Shared*>(
      (reinterpret_cast<std::uintptr_t>(dynamic_shared()) + 1023) & ~std::uintptr_t{1023});
  const int group = static_cast<int>(threadIdx.x) / 128;
  const int rank = kCluster > 1 ? static_cast<int>(cluster_rank()) : 0;

  if (threadIdx.x == 0) {
    prefetch_map(&hidden);
    prefetch_map(&weight);
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&shared.full[s], 1);
      barrier_init(&shared.empty[s], kConsumerWarps * kCluster);
    }
    barrier_init_fence();
  }
  __syncthreads();
  if (kCluster > 1) cluster_sync();

  constexpr int kGroupRows = kRows * kCluster;
  const Units<kJob> units(work, kGroupRows);
  const int steps = static_cast<int>(ceil_div(work.depth, kDepth));
  const int first_unit = static_cast<int>(blockIdx.x) / kCluster;
  const int unit_stride = static_cast<int>(gridDim.x) / kCluster;

  if (group == 0) {
    fewer_registers<40>();
    if (threadIdx.x == 0) {
      Ring ring;
      for (int unit = first_unit; unit < units.count; unit += unit_stride) {
        const int row = units.group(unit) * kGroupRows + rank * kRows;
        const TileRange<kJob, kColumns> tiles(units, unit, kGroupRows, work);
        for (int tile = 0; tile < tiles.count; ++tile) {
          const int column = tiles.begin + tile * kColumns;
          for (int step = 0; step < steps; ++step) {
            Stage& stage = shared.stages[ring.stage];
            std::uint64_t* full = &shared.full[ring.stage];
            // A fresh barrier counts its "previous" phase as over: the first round does not wait.
            barrier_wait(&shared.empty[ring.stage], ring.parity ^ 1);
            barrier_expect(full, sizeof(Stage));
            copy_box(&hidden, full, stage.a, step * kDepth, row);
            if constexpr (kCluster == 1) {
              copy_box(&weight, full, stage.b, step * kDepth, column);
            } else {
              constexpr int kShare = kColumns / kCluster;
              const int share = rank * kShare;
              copy_box_to(&weight, full, stage.b + share * kDepth, step * kDepth, column + share,
                          static_cast<std::uint16_t>((1 << kCluster) - 1));
            }
            ring.next();
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
    Ring ring;
    float d[kFragment];
    for (int unit = first_unit; unit < units.count; unit += unit_stride) {
      const int first_row = units.group(unit) * kGroupRows + rank * kRows + block_row;
      const TileRange<kJob, kColumns> tiles(units, unit, kGroupRows, work);
      const int upper = first_row + fragment_row(thread, 0);
      const int lower = first_row + fragment_row(thread, 1);
      FusedRow rows[2];
      if constexpr (kJob == Job::kFold) {
        rows[0].begin<kPlain>(work, upper);
        rows[1].begin<kPlain>(work, lower);
      }
      for (int tile = 0; tile < tiles.count; ++tile) {
        int last_stage = 0;
        for (int step = 0; step < steps; ++step) {
          barrier_wait(&shared.full[ring.stage], ring.parity);
          const Stage& stage = shared.stages[ring.stage];
          const std::uint64_t a = tile_descriptor(stage.a + block_row * kDepth);
          const std::uint64_t b = tile_descriptor(stage.b);
          product_fence();
          RLVR_UNROLL
          for (int k = 0; k < kDepth / 16; ++k) {
            // Sixteen elements on are 32 bytes on: two units of a descriptor.
            multiply<T>(d, a + 2 * k, b + 2 * k, step == 0 && k == 0 ? 0 : 1);
          }
          product_commit();
          // The step before is done once only this one is pending: its stage is free.
          product_wait<1>();
          if (step > 0 && lane < kCluster) {
            barrier_arrive(&shared.empty[last_stage], static_cast<std::uint32_t>(lane));
          }
          last_stage = ring.stage;
          ring.next();
        }
        product_wait<0>();
        if (lane < kCluster) {
          barrier_arrive(&shared.empty[last_stage], static_cast<std::uint32_t>(lane));
        }
        const int column = tiles.begin + tile * kColumns;
        if constexpr (kJob == Job::kDiagonal) {
          store_diagonal(d, thread, column, upper, lower, work);
        } else {
          make_logits<kPlain>(d, thread, column, work.columns, work.transform);
          rows[0].fold.push<0, kPlain>(d, rows[0].units, rows[0].target_logit, work.transform);
          rows[1].fold.push<1, kPlain>(d, rows[1].units, rows[1].target_logit, work.transform);
        }
      }
      if constexpr (kJob == Job::kFold) {
        const std::int64_t segments = ceil_div(work.columns, kTileColumns);
        RLVR_UNROLL
        for (int half = 0; half < 2; ++half) {
          merge_quad(rows[half].fold, rows[half].units);
          const int row = half == 0 ? upper : lower;
          if (lane % 4 == 0 && row < work.rows) {
            work.states[row * segments + units.segment(unit)] =
                make_partial(rows[half].fold, rows[half].units);
          }
        }
      }
    }
  }
  // No block may leave while another still arrives at its barriers.
  if (kCluster > 1) {
    __syncthreads();
    cluster_sync();
  }
#else
  __trap();  // launched on Hopper alone
#endif
}

}  // namespace rlvr::cuda::hopper
