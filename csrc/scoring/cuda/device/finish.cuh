// From the partial states of a row's segments to the row's statistics: one warp for each row, in
// double.
#pragma once

#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/launch.cuh"

namespace rlvr::cuda {

namespace {

inline constexpr int kFinishThreads = 128;

// The largest exponent of a row and the sum relative to that exponent, for the nucleus.
struct RowScale {
  double shift;
  double sum;
};

// states and stored_targets begin at first_row; the other arrays cover the whole batch.
// stored_targets: the target's value in the sweep, before bias, scale and softcap.
__global__ void __launch_bounds__(kFinishThreads)
    finish_rows(const PartialState* __restrict__ states, int segments, std::int64_t first_row,
                std::int64_t rows, std::int64_t columns, const std::int64_t* __restrict__ targets,
                Temperatures temperatures, LogitTransform transform,
                const float* __restrict__ stored_targets, TokenOutputs out,
                RowScale* __restrict__ scales) {
  const std::int64_t local_row =
      static_cast<std::int64_t>(blockIdx.x) * (kFinishThreads / 32) + threadIdx.x / 32;
  if (local_row >= rows) return;
  const std::int64_t row = first_row + local_row;
  const std::int64_t target = targets[row];
  TokenResult<float> result = undefined_result<float>();
  RowScale scale = {0.0, 0.0};
  if (target >= 0 && target < columns) {
    const auto state =
        merge_segments<SoftmaxState<double>>(states + local_row * segments, segments);
    const double temperature = temperatures(row);
    const float logit = transform.capped(transform.uncapped(stored_targets[local_row], target));
    result = finish_row(state, units_per_logit_of(temperature), temperature, logit);
    scale = {state.shift, state.sum};
  }
  if (threadIdx.x % 32 != 0) return;
  out.set(row, result);
  if (scales != nullptr) scales[local_row] = scale;
}

}  // namespace

}  // namespace rlvr::cuda
