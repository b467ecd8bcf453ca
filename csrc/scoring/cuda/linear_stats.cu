// Token statistics from hidden states, the portable path: a matrix library writes float32 tiles of
// the product, which stay in the L2 cache, and these kernels fold them. The logits of the whole
// batch are never stored.
#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/finish.cuh"
#include "scoring/cuda/device/launch.cuh"

namespace rlvr::cuda {

namespace {

inline constexpr int kTileThreads = 128;
static_assert(kSegment<float, kTileThreads> == kTileColumns);

template <bool kPlain>
__global__ void __launch_bounds__(kTileThreads, 8)
    fold_tile_rows(Rows<float> tile, std::int64_t first_column, std::int64_t vocabulary,
                   const std::int64_t* __restrict__ targets,
                   const float* __restrict__ stored_targets, Temperatures temperatures,
                   LogitTransform transform, PartialState* __restrict__ states) {
  __shared__ float maxima[kTileThreads / 32];
  __shared__ Sums sums[kTileThreads / 32];
  const std::int64_t row = blockIdx.x;
  const std::int64_t target = targets[row];
  if (target < 0 || target >= vocabulary) return;  // finish_rows does not read its states
  const float* data = tile.row(row);

  Slice<float, kTileThreads> slice;
  slice.load(data, 0, tile.columns, static_cast<int>(threadIdx.x), access_bytes(data));
  const float stored = stored_targets[row];
  const float target_logit = kPlain ? stored : transform.uncapped(stored, target);

  const float largest =
      block_max<kTileThreads>(slice.largest<kPlain>(transform, first_column, tile.columns), maxima);
  slice.refresh();
  const Reference reference = make_reference(units_per_logit_of(temperatures(row)), largest);
  const Sums total = block_sum<kTileThreads>(
      slice.fold<kPlain>(reference, target_logit, transform, first_column, tile.columns), sums);
  if (threadIdx.x == 0) {
    const std::int64_t segments = ceil_div(vocabulary, kTileColumns);
    states[row * segments + first_column / kTileColumns] = make_partial(reference, total);
  }
}

__global__ void place_target_logits(float* __restrict__ tile, std::int64_t row_stride,
                                    std::int64_t rows, std::int64_t first_column,
                                    std::int64_t columns, const std::int64_t* __restrict__ targets,
                                    const float* __restrict__ target_logits) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int64_t column = targets[row] - first_column;
  if (targets[row] >= 0 && column >= 0 && column < columns) {
    tile[row * row_stride + column] = target_logits[row];
  }
}

int states_of_row(std::int64_t vocabulary, std::int64_t state_columns) {
  return static_cast<int>(ceil_div(vocabulary, state_columns));
}

}  // namespace

std::int64_t tile_states_bytes(std::int64_t rows, std::int64_t columns,
                               std::int64_t state_columns) {
  return rows * states_of_row(columns, state_columns) *
         static_cast<std::int64_t>(sizeof(PartialState));
}

void place_targets(float* tile, std::int64_t row_stride, std::int64_t rows,
                   std::int64_t first_column, std::int64_t columns, const std::int64_t* targets,
                   const float* target_logits, const Device& device) {
  use_device(device.index);
  constexpr int kThreads = 256;
  launch("linear_stats: place_target_logits", place_target_logits, ceil_div(rows, kThreads),
         kThreads, 0, device.stream, tile, row_stride, rows, first_column, columns, targets,
         target_logits);
}

void fold_tile(const LogitRows& tile, std::int64_t first_column, std::int64_t vocabulary,
               const std::int64_t* targets, const float* target_logits, const RowOptions& options,
               void* states, const Device& device) {
  use_device(device.index);
  const LogitTransform transform = transform_of(options);
  const Temperatures temperatures = {options.temperatures, options.temperature};
  const auto kernel = transform.plain() ? fold_tile_rows<true> : fold_tile_rows<false>;
  launch("linear_stats: fold_tile_rows", kernel, tile.rows, kTileThreads, 0, device.stream,
         rows_of<float>(tile), first_column, vocabulary, targets, target_logits, temperatures,
         transform, static_cast<PartialState*>(states));
}

void finish_tiles(const void* states, std::int64_t rows, std::int64_t vocabulary,
                  const std::int64_t* targets, const float* target_logits,
                  const RowOptions& options, const TokenOutputs& out, std::int64_t state_columns,
                  const Device& device) {
  use_device(device.index);
  const Temperatures temperatures = {options.temperatures, options.temperature};
  launch("linear_stats: finish_rows", finish_rows, ceil_div(rows, kFinishThreads / 32),
         kFinishThreads, 0, device.stream, static_cast<const PartialState*>(states),
         states_of_row(vocabulary, state_columns), std::int64_t{0}, rows, vocabulary, targets,
         temperatures, transform_of(options), target_logits, out, static_cast<RowScale*>(nullptr));
}

}  // namespace rlvr::cuda
