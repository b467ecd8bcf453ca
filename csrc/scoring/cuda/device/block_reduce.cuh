// Reductions over a block in a fixed order: a butterfly over the lanes of each warp, then the warps
// from first to last.
#pragma once

#include "scoring/cuda/device/pair_register_fold.cuh"

namespace rlvr::cuda {

__device__ __forceinline__ float exchange(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
__device__ __forceinline__ double exchange(double value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
__device__ __forceinline__ std::int32_t exchange(std::int32_t value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
__device__ __forceinline__ Sums exchange(const Sums& s, int mask) {
  return {exchange(s.sum, mask), exchange(s.weighted, mask), exchange(s.above, mask),
          exchange(s.count_above, mask)};
}
__device__ __forceinline__ PairSums exchange(const PairSums& s, int mask) {
  return {exchange(s.sum_p, mask), exchange(s.weighted_p, mask), exchange(s.cross_pq, mask),
          exchange(s.sum_q, mask), exchange(s.weighted_q, mask), exchange(s.cross_qp, mask)};
}
__device__ __forceinline__ SoftmaxState<double> exchange(const SoftmaxState<double>& s, int mask) {
  SoftmaxState<double> other;
  other.shift = exchange(s.shift, mask);
  other.sum = exchange(s.sum, mask);
  other.weighted = exchange(s.weighted, mask);
  other.above = exchange(s.above, mask);
  other.count_above = exchange(s.count_above, mask);
  return other;
}
__device__ __forceinline__ DivergenceState<double> exchange(const DivergenceState<double>& s,
                                                            int mask) {
  DivergenceState<double> other;
  other.p = exchange(s.p, mask);
  other.q = exchange(s.q, mask);
  other.cross_pq = exchange(s.cross_pq, mask);
  other.cross_qp = exchange(s.cross_qp, mask);
  return other;
}

// The largest value of the block, in every thread. `shared` holds one float a warp.
template <int kThreads>
__device__ __forceinline__ float block_max(float value, float* shared) {
  RLVR_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) value = larger(value, exchange(value, mask));
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  float most = shared[0];
  RLVR_UNROLL
  for (int w = 1; w < kThreads / 32; ++w) most = larger(most, shared[w]);
  return most;
}

// The sum over the block, in thread 0. `shared` holds one value a warp.
template <int kThreads, typename Values>
__device__ __forceinline__ Values block_sum(Values value, Values* shared) {
  RLVR_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) value = value + exchange(value, mask);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < kThreads / 32; ++w) value = value + shared[w];
  }
  return value;
}

// Merges the folds of the four threads that hold one row of a fragment: the threads agree on the
// largest logit, and add the sums in a fixed order.
__device__ __forceinline__ void merge_quad(RowFold& row, float units_per_logit) {
  float most = row.largest;
  most = larger(most, exchange(most, 1));
  most = larger(most, exchange(most, 2));
  row.move_to(most, units_per_logit);
  RLVR_UNROLL
  for (int mask = 1; mask <= 2; mask *= 2) row.sums = row.sums + exchange(row.sums, mask);
}

__device__ __forceinline__ void merge_quad(PairRowFold& row, float units_per_logit) {
  float most_p = row.largest_p;
  float most_q = row.largest_q;
  RLVR_UNROLL
  for (int mask = 1; mask <= 2; mask *= 2) {
    most_p = larger(most_p, exchange(most_p, mask));
    most_q = larger(most_q, exchange(most_q, mask));
  }
  row.move_to(most_p, most_q, units_per_logit);
  RLVR_UNROLL
  for (int mask = 1; mask <= 2; mask *= 2) row.sums = row.sums + exchange(row.sums, mask);
}

// One warp merges the segments of a row: lane l merges segments l, l + 32, ... in order, then the
// warp merges the lanes by a butterfly.
template <typename State, typename Partial>
__device__ __forceinline__ State merge_segments(const Partial* partials, int segments) {
  State state;
  for (int s = static_cast<int>(threadIdx.x % 32); s < segments; s += 32) {
    state = merge(state, state_of(partials[s]));
  }
  RLVR_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) state = merge(state, exchange(state, mask));
  return state;
}

}  // namespace rlvr::cuda
