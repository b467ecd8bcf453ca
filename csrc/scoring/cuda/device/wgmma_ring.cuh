// Shared parts of the fused kernels for Hopper: the ring of stages, and products of both element
// types.
#pragma once

#include <type_traits>

#include "scoring/cuda/device/element.cuh"
#include "scoring/cuda/device/hopper.cuh"

namespace rlvr::cuda::hopper {

inline constexpr int kRows = 128;         // rows of a block: two warpgroups of 64
inline constexpr int kDepth = 64;         // elements of H in a stage: 128 bytes, one swizzled row
inline constexpr int kThreads = 3 * 128;  // a producer and two consumer warpgroups
inline constexpr int kConsumerWarps = 8;

// A stage: kRows rows of the hidden states and kColumns rows of the weight, bfloat16 or float16.
template <int kColumns>
struct Stage {
  std::uint16_t a[kRows * kDepth];
  std::uint16_t b[kColumns * kDepth];
};

template <int kColumns, int kStages>
struct Ring {
  Stage<kColumns> stages[kStages];
  std::uint64_t full[kStages];
  std::uint64_t empty[kStages];

  static constexpr std::size_t kBytes =
      kStages * (sizeof(Stage<kColumns>) + 16) + 1024;  // to align
};

#if defined(RLVR_HOPPER)

// At the first multiple of 1024 bytes in shared memory, as the swizzle needs.
template <typename Shared>
__device__ __forceinline__ Shared& aligned_shared() {
  return *reinterpret_cast<Shared*>((reinterpret_cast<std::uintptr_t>(dynamic_shared()) + 1023) &
                                    ~std::uintptr_t{1023});
}

// Initialises the barriers. Every thread of a block calls it once.
template <int kCluster, int kColumns, int kStages>
__device__ __forceinline__ void prepare(Ring<kColumns, kStages>& ring) {
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      barrier_init(&ring.full[s], 1);
      barrier_init(&ring.empty[s], kConsumerWarps * kCluster);
    }
    barrier_init_fence();
  }
  __syncthreads();
  if (kCluster > 1) cluster_sync();
}

// A thread's position in the ring: the stage, and the parity of the number of rounds.
template <int kStages>
struct Place {
  int stage = 0;
  std::uint32_t parity = 0;
  __device__ void next() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// Fills the next stage with rows from `row` and columns from `column` on, kDepth elements from
// `depth` on. In a cluster, each block copies its share of the columns to all blocks.
template <int kCluster, int kColumns, int kStages>
__device__ __forceinline__ void fill_stage(Ring<kColumns, kStages>& ring, Place<kStages>& place,
                                           const TensorMap& hidden, const TensorMap& weight,
                                           int depth, int row, int column, int rank) {
  Stage<kColumns>& stage = ring.stages[place.stage];
  std::uint64_t* full = &ring.full[place.stage];
  // For a new barrier the previous phase counts as over, so the first round does not wait.
  barrier_wait(&ring.empty[place.stage], place.parity ^ 1);
  barrier_expect(full, sizeof(Stage<kColumns>));
  copy_box(&hidden, full, stage.a, depth, row);
  if constexpr (kCluster == 1) {
    copy_box(&weight, full, stage.b, depth, column);
  } else {
    constexpr int kShare = kColumns / kCluster;
    const int share = rank * kShare;
    copy_box_to(&weight, full, stage.b + share * kDepth, depth, column + share,
                static_cast<std::uint16_t>((1 << kCluster) - 1));
  }
  place.next();
}

template <typename T, int kSize>
__device__ __forceinline__ void multiply(float (&d)[kSize], std::uint64_t a, std::uint64_t b,
                                         int accumulate) {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    multiply_bfloat16(d, a, b, accumulate);
  } else {
    multiply_float16(d, a, b, accumulate);
  }
}

// d = the product of a warpgroup's 64 rows, from `block_row` on, and a tile of columns, over
// `steps` stages in order.
template <typename T, int kCluster, int kColumns, int kStages>
__device__ __forceinline__ void multiply_tile(float (&d)[kColumns / 2],
                                              Ring<kColumns, kStages>& ring, Place<kStages>& place,
                                              int steps, int block_row, int lane) {
  int last_stage = 0;
  for (int step = 0; step < steps; ++step) {
    barrier_wait(&ring.full[place.stage], place.parity);
    const Stage<kColumns>& stage = ring.stages[place.stage];
    const std::uint64_t a = tile_descriptor(stage.a + block_row * kDepth);
    const std::uint64_t b = tile_descriptor(stage.b);
    product_fence();
    RLVR_UNROLL
    for (int k = 0; k < kDepth / 16; ++k) {
      // Sixteen elements are 32 bytes: two units of a descriptor.
      multiply<T>(d, a + 2 * k, b + 2 * k, step == 0 && k == 0 ? 0 : 1);
    }
    product_commit();
    // Where only this step is pending, the step before is done and its stage is free.
    product_wait<1>();
    if (step > 0 && lane < kCluster) {
      barrier_arrive(&ring.empty[last_stage], static_cast<std::uint32_t>(lane));
    }
    last_stage = place.stage;
    place.next();
  }
  product_wait<0>();
  if (lane < kCluster) {
    barrier_arrive(&ring.empty[last_stage], static_cast<std::uint32_t>(lane));
  }
}

// A block must not end while another block may still arrive at its barriers.
template <int kCluster>
__device__ __forceinline__ void leave_together() {
  if (kCluster == 1) return;
  __syncthreads();
  cluster_sync();
}

#endif

}  // namespace rlvr::cuda::hopper
