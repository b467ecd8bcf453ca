// The divergence of two models from tiles of both products: KL in both directions, entropies,
// log-probs.
#include "scoring/cuda/device/block_reduce.cuh"
#include "scoring/cuda/device/launch.cuh"

namespace rlvr::cuda {

namespace {

inline constexpr int kPairThreads = 128;
static_assert(kSegment<float, kPairThreads> == kTileColumns);

template <bool kPlain>
__global__ void __launch_bounds__(kPairThreads, 4)
    fold_pair_rows(Rows<float> tile_p, Rows<float> tile_q, std::int64_t first_column, int segment,
                   int segments, Temperatures temperatures, LogitTransform transform_p,
                   LogitTransform transform_q, PartialPair* __restrict__ states) {
  __shared__ float maxima[2][kPairThreads / 32];
  __shared__ PairSums sums[kPairThreads / 32];
  const std::int64_t row = blockIdx.x;
  const float* data_p = tile_p.row(row);
  const float* data_q = tile_q.row(row);
  Slice<float, kPairThreads> p;
  Slice<float, kPairThreads> q;
  p.load(data_p, 0, tile_p.columns, static_cast<int>(threadIdx.x), access_bytes(data_p));
  q.load(data_q, 0, tile_q.columns, static_cast<int>(threadIdx.x), access_bytes(data_q));
  const float units_per_logit = units_per_logit_of(temperatures(row));
  const Reference r_p =
      make_reference(units_per_logit,
                     block_max<kPairThreads>(
                         p.largest<kPlain>(transform_p, first_column, tile_p.columns), maxima[0]));
  const Reference r_q =
      make_reference(units_per_logit,
                     block_max<kPairThreads>(
                         q.largest<kPlain>(transform_q, first_column, tile_q.columns), maxima[1]));
  p.refresh();
  q.refresh();
  const PairSums total =
      block_sum<kPairThreads>(fold_pair_slice<kPlain>(p, q, r_p, r_q, transform_p, transform_q,
                                                      first_column, tile_p.columns),
                              sums);
  if (threadIdx.x == 0) states[row * segments + segment] = {r_p.exact, r_q.exact, total};
}

inline constexpr int kFinishPairThreads = 128;

__global__ void __launch_bounds__(kFinishPairThreads)
    finish_pair_rows(const PartialPair* __restrict__ states, int segments, std::int64_t rows,
                     std::int64_t columns, const std::int64_t* __restrict__ targets,
                     Temperatures temperatures, LogitTransform transform_p,
                     LogitTransform transform_q, const float* __restrict__ target_p,
                     const float* __restrict__ target_q, DivergenceOutputs out) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kFinishPairThreads / 32) + threadIdx.x / 32;
  if (row >= rows) return;
  const auto state = merge_segments<DivergenceState<double>>(states + row * segments, segments);
  if (threadIdx.x % 32 != 0) return;
  const std::int64_t target = targets == nullptr ? -1 : targets[row];
  const bool has_target = target >= 0 && target < columns;
  float logit_p = 0.0f;
  float logit_q = 0.0f;
  if (has_target) {
    logit_p = transform_p.capped(transform_p.uncapped(target_p[row], target));
    logit_q = transform_q.capped(transform_q.uncapped(target_q[row], target));
  }
  const double temperature = temperatures(row);
  const PairResult result = finish_pair_row(state, units_per_logit_of(temperature), temperature,
                                            has_target, logit_p, logit_q);
  out.kl_pq[row] = result.kl_pq;
  out.kl_qp[row] = result.kl_qp;
  out.entropy_p[row] = result.entropy_p;
  out.entropy_q[row] = result.entropy_q;
  out.logprob_p[row] = result.logprob_p;
  out.logprob_q[row] = result.logprob_q;
}

int states_of_row(std::int64_t vocabulary, std::int64_t state_columns) {
  return static_cast<int>(ceil_div(vocabulary, state_columns));
}

}  // namespace

std::int64_t pair_states_bytes(std::int64_t rows, std::int64_t columns,
                               std::int64_t state_columns) {
  return rows * states_of_row(columns, state_columns) *
         static_cast<std::int64_t>(sizeof(PartialPair));
}

void fold_pair(const LogitRows& tile_p, const LogitRows& tile_q, std::int64_t first_column,
               std::int64_t vocabulary, const RowOptions& options_p, const RowOptions& options_q,
               void* states, const Device& device) {
  use_device(device.index);
  const LogitTransform transform_p = transform_of(options_p);
  const LogitTransform transform_q = transform_of(options_q);
  const bool plain = transform_p.plain() && transform_q.plain();
  const auto kernel = plain ? fold_pair_rows<true> : fold_pair_rows<false>;
  const Temperatures temperatures = {options_p.temperatures, options_p.temperature};
  launch("linear_divergence: fold_pair_rows", kernel, tile_p.rows, kPairThreads, 0, device.stream,
         rows_of<float>(tile_p), rows_of<float>(tile_q), first_column,
         static_cast<int>(first_column / kTileColumns), states_of_row(vocabulary, kTileColumns),
         temperatures, transform_p, transform_q, static_cast<PartialPair*>(states));
}

void finish_pair(const void* states, std::int64_t rows, std::int64_t vocabulary,
                 const std::int64_t* targets, const float* target_p, const float* target_q,
                 const RowOptions& options_p, const RowOptions& options_q,
                 const DivergenceOutputs& out, std::int64_t state_columns, const Device& device) {
  use_device(device.index);
  const Temperatures temperatures = {options_p.temperatures, options_p.temperature};
  launch("linear_divergence: finish_pair_rows", finish_pair_rows,
         ceil_div(rows, kFinishPairThreads / 32), kFinishPairThreads, 0, device.stream,
         static_cast<const PartialPair*>(states), states_of_row(vocabulary, state_columns), rows,
         vocabulary, targets, temperatures, transform_of(options_p), transform_of(options_q),
         target_p, target_q, out);
}

}  // namespace rlvr::cuda
