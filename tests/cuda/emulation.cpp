// The kernels' arithmetic on the host: the functions of scoring/cuda/launch.hpp, built from the
// very source that each device thread runs (scoring/cuda/device/*.cuh), thread after thread, with
// block reductions in the order of block_reduce.cuh. The fused kernels are not here: they and their
// launches run as they are, on the machine. Pointers are host pointers. With bind_cuda.cpp it makes
// a module that stands where rlvr_fast._core.cuda stands, so that rlvr_fast/scoring/cuda.py runs
// whole where there is no GPU. Only exp2 differs, by two units in the last place.
#include <pybind11/pybind11.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "machine/machine.hpp"
#include "machine/warp_products.hpp"
#include "scoring/cuda/device/nucleus.cuh"
#include "scoring/cuda/device/pair_fold.cuh"
#include "scoring/cuda/launch.hpp"

namespace rlvr::cuda {

namespace {

// A butterfly over each warp's lanes, then the warps in order.
template <typename Value, typename Combine>
Value block_reduce(std::vector<Value> values, Combine combine) {
  const std::size_t warps = values.size() / 32;
  std::vector<Value> of_warp(warps);
  for (std::size_t w = 0; w < warps; ++w) {
    std::vector<Value> lanes(values.begin() + w * 32, values.begin() + (w + 1) * 32);
    for (std::size_t mask = 16; mask > 0; mask /= 2) {
      std::vector<Value> next(32);
      for (std::size_t l = 0; l < 32; ++l) next[l] = combine(lanes[l], lanes[l ^ mask]);
      lanes = next;
    }
    of_warp[w] = lanes[0];
  }
  Value total = of_warp[0];
  for (std::size_t w = 1; w < warps; ++w) total = combine(total, of_warp[w]);
  return total;
}

template <typename State, typename Partial>
State merge_segments(const Partial* partials, int segments) {
  std::vector<State> lanes(32);
  for (int s = 0; s < segments; ++s) lanes[s % 32] = merge(lanes[s % 32], widened(partials[s]));
  for (std::size_t mask = 16; mask > 0; mask /= 2) {
    std::vector<State> next(32);
    for (std::size_t l = 0; l < 32; ++l) next[l] = merge(lanes[l], lanes[l ^ mask]);
    lanes = next;
  }
  return lanes[0];
}

const auto kMax = [](float a, float b) { return larger(a, b); };
const auto kAdd = [](const auto& a, const auto& b) { return a + b; };

LogitTransform transform_of(const RowOptions& o) { return {o.bias, o.scale, o.softcap}; }
double temperature_of(const RowOptions& o, std::int64_t row) {
  return o.temperatures == nullptr ? o.temperature : o.temperatures[row];
}

template <typename T>
const T* row_of(const LogitRows& logits, std::int64_t row) {
  return static_cast<const T*>(logits.data) + row / logits.inner_rows * logits.outer_stride +
         row % logits.inner_rows * logits.row_stride;
}

template <typename T, int kThreads, bool kPlain>
PartialState fold_segment(const T* data, std::int64_t begin, std::int64_t end, std::int64_t offset,
                          float units, const LogitTransform& transform, float target_logit) {
  std::vector<Slice<T, kThreads>> slices(kThreads);
  std::vector<float> maxima(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    slices[t].load(data, begin, end, t, access_bytes(data));
    maxima[t] = slices[t].template largest<kPlain>(transform, offset, end);
    slices[t].refresh();
  }
  const Reference reference = make_reference(units, block_reduce(maxima, kMax));
  std::vector<Sums> sums(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    sums[t] = slices[t].template fold<kPlain>(reference, target_logit, transform, offset, end);
  }
  return make_partial(reference, block_reduce(sums, kAdd));
}

template <typename T, int kThreads>
PartialState fold_segment(const T* data, std::int64_t begin, std::int64_t end, std::int64_t offset,
                          float units, const LogitTransform& transform, float stored,
                          std::int64_t target) {
  return transform.plain()
             ? fold_segment<T, kThreads, true>(data, begin, end, offset, units, transform, stored)
             : fold_segment<T, kThreads, false>(data, begin, end, offset, units, transform,
                                                transform.uncapped(stored, target));
}

void store(const TokenOutputs& out, std::int64_t row, const TokenResult<float>& result) {
  out.logprob[row] = result.logprob;
  out.entropy[row] = result.entropy;
  out.logsumexp[row] = result.logsumexp;
  out.mass_above[row] = result.mass_above;
  out.rank[row] = result.rank;
}

template <typename T>
void nucleus_row(const T* data, std::int64_t columns, std::int64_t target, float units,
                 const LogitTransform& transform, const SoftmaxState<double>& state, double top_p,
                 float logprob, float& out_logprob, float& out_mass) {
  const bool undefined = !(state.sum > 0.0) || logprob != logprob;
  out_logprob = logprob;
  out_mass = undefined ? NAN : 1.0f;
  if (undefined || top_p >= 1.0) return;
  const Reference reference = row_reference(units, state.shift);
  const float limit = nucleus_limit(state.sum, top_p, columns);
  const double wanted = top_p * state.sum;
  std::vector<std::uint32_t> keys(columns, 0xffffffffu);
  std::vector<std::uint32_t> counts(kBins), offsets(kBins);
  for (std::int64_t c = 0; c < columns; ++c) {
    const float z = transform.capped(transform.uncapped(to_float(data[c]), c));
    const float exponent = exponent_of(z, reference);
    if (!(exponent > -limit)) continue;
    keys[c] = nucleus_key(exponent);
    counts[keys[c] / kBins] += 1;
    offsets[keys[c] / kBins] += nucleus_offset(keys[c]);
  }
  std::uint32_t ties = 0;
  for (std::int64_t c = 0; c < target; ++c) ties += keys[c] == keys[target] ? 1 : 0;
  Boundary boundary = {0xffffffffu, 1, state.sum};
  double before = 0;
  for (int b = 0; b < kBins; ++b) {
    const double mass = bin_mass(b, counts[b], offsets[b]);
    if (mass <= 0.0 || before + mass < wanted) {
      before += mass;
      continue;
    }
    std::vector<std::uint32_t> fine(kBins);
    for (std::int64_t c = 0; c < columns; ++c) {
      if (static_cast<int>(keys[c] / kBins) == b) fine[keys[c] % kBins] += 1;
    }
    const std::uint32_t first = static_cast<std::uint32_t>(b) * kBins;
    boundary = {first + kBins - 1, kNucleusColumns, -1.0};
    double inside = 0;
    for (int f = 0; f < kBins; ++f) {
      if (fine[f] == 0) continue;
      const double fine_mass = fine[f] * key_mass(first + static_cast<std::uint32_t>(f));
      if (inside + fine_mass >= wanted - before) {
        boundary =
            boundary_at(first + static_cast<std::uint32_t>(f), fine[f], before + inside, wanted);
        break;
      }
      inside += fine_mass;
    }
    if (boundary.kept < 0.0) boundary.kept = before + inside;
    break;
  }
  const double kept = boundary.kept < state.sum ? boundary.kept / state.sum : 1.0;
  out_mass = static_cast<float>(kept);
  out_logprob = is_kept(boundary, keys[target], ties) ? static_cast<float>(logprob - std::log(kept))
                                                      : negative_infinity();
}

constexpr int kFoldThreads = 256;
constexpr int kTileThreads = 128;

template <typename T>
void logits_stats_of(const LogitRows& logits, const std::int64_t* targets,
                     const RowOptions& options, const TokenOutputs& out, float top_p,
                     const NucleusOutputs* nucleus) {
  constexpr std::int64_t kColumns = kSegment<T, kFoldThreads>;
  const LogitTransform transform = transform_of(options);
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    const std::int64_t target = targets[row];
    SoftmaxState<double> state;
    TokenResult<float> result = undefined_result<float>();
    const T* data = row_of<T>(logits, row);
    const double temperature = temperature_of(options, row);
    if (target >= 0 && target < logits.columns) {
      const float stored = to_float(data[target]);
      std::vector<PartialState> partials;
      for (std::int64_t begin = 0; begin < logits.columns; begin += kColumns) {
        partials.push_back(fold_segment<T, kFoldThreads>(
            data, begin, logits.columns, 0, units_of(temperature), transform, stored, target));
      }
      state =
          merge_segments<SoftmaxState<double>>(partials.data(), static_cast<int>(partials.size()));
      result = finish_row(state, units_of(temperature), temperature,
                          transform.capped(transform.uncapped(stored, target)));
    }
    store(out, row, result);
    if (nucleus != nullptr) {
      nucleus_row(data, logits.columns, target, units_of(temperature), transform, state, top_p,
                  result.logprob, nucleus->logprob[row], nucleus->kept_mass[row]);
    }
  }
}

std::int64_t segments_of(std::int64_t columns, std::int64_t state_columns = kTileColumns) {
  return (columns + state_columns - 1) / state_columns;
}

}  // namespace

bool built() { return true; }
int device_count() { return 0; }
std::string device_name(int) { return "host emulation"; }

std::int64_t logits_workspace_bytes(std::int64_t, std::int64_t, LogitType) { return 1; }

void logits_stats(const LogitRows& logits, const std::int64_t* targets, const RowOptions& options,
                  void*, std::int64_t, const TokenOutputs& out, float top_p,
                  const NucleusOutputs* nucleus, const Device&) {
  switch (logits.type) {
    case LogitType::kFloat32:
      return logits_stats_of<float>(logits, targets, options, out, top_p, nucleus);
    case LogitType::kBfloat16:
      return logits_stats_of<Bfloat16>(logits, targets, options, out, top_p, nucleus);
    case LogitType::kFloat16:
      return logits_stats_of<Float16>(logits, targets, options, out, top_p, nucleus);
  }
}

std::int64_t tile_states_bytes(std::int64_t rows, std::int64_t columns,
                               std::int64_t state_columns) {
  return rows * segments_of(columns, state_columns) *
         static_cast<std::int64_t>(sizeof(PartialState));
}

void place_targets(float* tile, std::int64_t row_stride, std::int64_t rows,
                   std::int64_t first_column, std::int64_t columns, const std::int64_t* targets,
                   const float* target_logits, const Device&) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t column = targets[row] - first_column;
    if (targets[row] >= 0 && column >= 0 && column < columns) {
      tile[row * row_stride + column] = target_logits[row];
    }
  }
}

void fold_tile(const LogitRows& tile, std::int64_t first_column, std::int64_t vocabulary,
               const std::int64_t* targets, const float* target_logits, const RowOptions& options,
               void* states, const Device&) {
  auto* partials = static_cast<PartialState*>(states);
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    if (targets[row] < 0 || targets[row] >= vocabulary) continue;
    partials[row * segments_of(vocabulary) + first_column / kTileColumns] =
        fold_segment<float, kTileThreads>(row_of<float>(tile, row), 0, tile.columns, first_column,
                                          units_of(temperature_of(options, row)),
                                          transform_of(options), target_logits[row], targets[row]);
  }
}

void finish_tiles(const void* states, std::int64_t rows, std::int64_t vocabulary,
                  const std::int64_t* targets, const float* target_logits,
                  const RowOptions& options, const TokenOutputs& out, std::int64_t state_columns,
                  const Device&) {
  const auto* partials = static_cast<const PartialState*>(states);
  const LogitTransform transform = transform_of(options);
  const auto segments = static_cast<int>(segments_of(vocabulary, state_columns));
  for (std::int64_t row = 0; row < rows; ++row) {
    TokenResult<float> result = undefined_result<float>();
    if (targets[row] >= 0 && targets[row] < vocabulary) {
      const auto state = merge_segments<SoftmaxState<double>>(partials + row * segments, segments);
      const double temperature = temperature_of(options, row);
      result = finish_row(state, units_of(temperature), temperature,
                          transform.capped(transform.uncapped(target_logits[row], targets[row])));
    }
    store(out, row, result);
  }
}

std::int64_t pair_states_bytes(std::int64_t rows, std::int64_t columns,
                               std::int64_t state_columns) {
  return rows * segments_of(columns, state_columns) *
         static_cast<std::int64_t>(sizeof(PartialPair));
}

void fold_pair(const LogitRows& tile_p, const LogitRows& tile_q, std::int64_t first_column,
               std::int64_t vocabulary, const RowOptions& options_p, const RowOptions& options_q,
               void* states, const Device&) {
  using Slices = std::vector<Slice<float, kTileThreads>>;
  auto* partials = static_cast<PartialPair*>(states);
  const LogitTransform transform_p = transform_of(options_p);
  const LogitTransform transform_q = transform_of(options_q);
  for (std::int64_t row = 0; row < tile_p.rows; ++row) {
    Slices p(kTileThreads), q(kTileThreads);
    std::vector<float> most_p(kTileThreads), most_q(kTileThreads);
    for (int t = 0; t < kTileThreads; ++t) {
      p[t].load(row_of<float>(tile_p, row), 0, tile_p.columns, t, 4);
      q[t].load(row_of<float>(tile_q, row), 0, tile_q.columns, t, 4);
      most_p[t] = p[t].largest<false>(transform_p, first_column, tile_p.columns);
      most_q[t] = q[t].largest<false>(transform_q, first_column, tile_q.columns);
    }
    const float units = units_of(temperature_of(options_p, row));
    const Reference r_p = make_reference(units, block_reduce(most_p, kMax));
    const Reference r_q = make_reference(units, block_reduce(most_q, kMax));
    std::vector<PairSums> sums(kTileThreads);
    for (int t = 0; t < kTileThreads; ++t) {
      sums[t] = fold_pair_slice<false>(p[t], q[t], r_p, r_q, transform_p, transform_q, first_column,
                                       tile_p.columns);
    }
    partials[row * segments_of(vocabulary) + first_column / kTileColumns] = {
        r_p.exact, r_q.exact, block_reduce(sums, kAdd)};
  }
}

void finish_pair(const void* states, std::int64_t rows, std::int64_t vocabulary,
                 const std::int64_t* targets, const float* target_p, const float* target_q,
                 const RowOptions& options_p, const RowOptions& options_q,
                 const DivergenceOutputs& out, std::int64_t state_columns, const Device&) {
  const auto* partials = static_cast<const PartialPair*>(states);
  const LogitTransform transform_p = transform_of(options_p);
  const LogitTransform transform_q = transform_of(options_q);
  const auto segments = static_cast<int>(segments_of(vocabulary, state_columns));
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto state = merge_segments<DivergenceState<double>>(partials + row * segments, segments);
    const std::int64_t target = targets == nullptr ? -1 : targets[row];
    const bool has = target >= 0 && target < vocabulary;
    const double temperature = temperature_of(options_p, row);
    const PairResult result = finish_pair_row(
        state, units_of(temperature), temperature, has,
        has ? transform_p.capped(transform_p.uncapped(target_p[row], target)) : 0.0f,
        has ? transform_q.capped(transform_q.uncapped(target_q[row], target)) : 0.0f);
    out.kl_pq[row] = result.kl_pq;
    out.kl_qp[row] = result.kl_qp;
    out.entropy_p[row] = result.entropy_p;
    out.entropy_q[row] = result.entropy_q;
    out.logprob_p[row] = result.logprob_p;
    out.logprob_q[row] = result.logprob_q;
  }
}

}  // namespace rlvr::cuda

void bind_cuda(pybind11::module_& m);

PYBIND11_MODULE(rlvr_fast_emulation, m) {
  bind_cuda(m);
  m.def("bank_conflicts", &machine::bank_conflicts);
  // How fused kernels run from now on: the seed of their schedule, the device's multiprocessors.
  m.def("configure_machine", [](std::uint64_t seed, int processors) {
    machine::configuration() = {.seed = seed, .processors = processors};
  });
}
