#include "scoring/logits_stats.hpp"

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/parallel.hpp"

namespace rlvr {
namespace {

// A larger sum of a block means that the reference is so far below the block that float32 may
// overflow. The block is then folded again relative to its own maximum. A block whose logits all
// equal the reference sums to 2^14.
constexpr float kReferenceTooLow = 0x1p20f;
// The largest mean exponent of a block relative to the reference. Float32 holds the mean to a
// relative error of about 1e-6, which becomes an error of the entropy.
constexpr float kMeanTooHigh = 2.0f;

bool well_chosen(float sum, float weighted) {
  return sum <= kReferenceTooLow && weighted <= kMeanTooHigh * sum;
}

// The least number of logits for which a separate task is worth its cost.
constexpr std::int64_t kTaskLogits = 1 << 16;

// For larger exponents float32 is no more exact than 1/2, and the reference must be a logit.
constexpr double kFarExponent = 0x1p22;

SoftmaxState<double> state_of(const Sums& sums, double shift) {
  SoftmaxState<double> state;
  state.shift = shift;
  state.sum = sums.sum;
  state.weighted = sums.weighted;
  state.above = sums.above;
  state.count_above = sums.count_above;
  return state;
}

DivergenceState<double> state_of(const PairSums& sums, double shift_p, double shift_q) {
  DivergenceState<double> state;
  state.p.shift = shift_p;
  state.p.sum = sums.sum_p;
  state.p.weighted = sums.weighted_p;
  state.q.shift = shift_q;
  state.q.sum = sums.sum_q;
  state.q.weighted = sums.weighted_q;
  state.cross_pq = sums.cross_pq;
  state.cross_qp = sums.cross_qp;
  return state;
}

// A reference for a block, and the same number as the shift of the state.
struct Anchor {
  Reference reference;
  double shift;

  // From the shift of earlier columns.
  static Anchor of_shift(double shift) { return {{static_cast<float>(shift)}, shift}; }
  // From the largest logit of the block; 0 for a block of -inf.
  static Anchor of_largest(float largest, float units_per_logit) {
    const double u = static_cast<double>(largest) * static_cast<double>(units_per_logit);
    if (std::isfinite(largest) && std::fabs(u) > kFarExponent) return {{largest, true}, u};
    const auto near = static_cast<float>(u);
    return {{reference_shift(near)}, near};
  }
};

bool usable(double shift) { return std::isfinite(shift) && std::fabs(shift) <= kFarExponent; }

// The number of logits at the start of a row that are searched for a first reference, at a small
// part of the cost of a block.
constexpr std::int64_t kGuess = 1024;

// The reference of the earlier columns is used for the next block, so that a block is read once. A
// block is searched for its maximum only where its logits are far above the earlier columns, or
// where the row starts with masked logits.
template <typename T>
void fold_columns(SoftmaxState<double>& state, const T* x, std::int64_t count,
                  BlockTransform transform, float target_logit, const BlockFolds<T>& folds) {
  const float* bias = transform.bias;
  for (std::int64_t start = 0; start < count; start += kBlock) {
    if (std::isnan(state.sum)) return;
    const std::int64_t size = std::min(kBlock, count - start);
    transform.bias = bias == nullptr ? nullptr : bias + start;
    const Anchor guess =
        usable(state.shift)
            ? Anchor::of_shift(state.shift)
            : Anchor::of_largest(folds.largest(x + start, std::min(size, kGuess), transform),
                                 transform.units_per_logit);
    if (usable(guess.shift)) {
      const Sums sums = folds.fold(x + start, size, transform, guess.reference, target_logit);
      if (well_chosen(sums.sum, sums.weighted)) {
        state = merge(state, state_of(sums, guess.shift));
        continue;
      }
    }
    const Anchor anchor =
        Anchor::of_largest(folds.largest(x + start, size, transform), transform.units_per_logit);
    const Sums sums = folds.fold(x + start, size, transform, anchor.reference, target_logit);
    state = merge(state, state_of(sums, anchor.shift));
  }
}

SoftmaxState<double> merged(const SoftmaxState<double>* states, std::int64_t count) {
  SoftmaxState<double> all = states[0];
  for (std::int64_t i = 1; i < count; ++i) all = merge(all, states[i]);
  return all;
}

template <typename T>
SoftmaxState<double> fold_split(const T* row, std::int64_t columns, std::int64_t split,
                                const BlockTransform& transform, float target_logit,
                                const BlockFolds<T>& folds) {
  const std::int64_t start = split * kSplit;
  SoftmaxState<double> state;
  fold_columns(state, row + start, std::min(kSplit, columns - start), transform, target_logit,
               folds);
  return state;
}

void check_targets(const std::int64_t* targets, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row) {
    if (targets[row] == kIgnoredTarget) continue;
    if (targets[row] < 0 || targets[row] >= columns) {
      throw InvalidInput("targets must lie in [0, " + std::to_string(columns) +
                         ") or be -100 (ignored); row " + std::to_string(row) + " holds " +
                         std::to_string(targets[row]));
    }
  }
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      avx512_folds() != nullptr) {
    names.push_back("avx512");
  }
  if (avx2 && avx2_folds() != nullptr) names.push_back("avx2");
#endif
  names.push_back("baseline");
  return names;
}

const FoldTable& fold_table(const std::string& instruction_set) {
  static const std::vector<std::string> names = instruction_sets();
  const std::string& name = instruction_set.empty() ? names.front() : instruction_set;
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    std::string known;
    for (const std::string& n : names) known += (known.empty() ? "" : ", ") + n;
    throw InvalidInput("instruction set '" + name + "' does not run here; these do: " + known);
  }
  if (name == "avx512") return *avx512_folds();
  if (name == "avx2") return *avx2_folds();
  return *baseline_folds();
}

LogitUnits logit_units(float temperature, std::int64_t row) {
  const auto units_per_logit = static_cast<float>(kLog2E / static_cast<double>(temperature));
  if (!(temperature > 0.0f) || !std::isfinite(units_per_logit) || !(units_per_logit > 0.0f)) {
    throw InvalidInput("temperature must be a positive number; row " + std::to_string(row) +
                       " has " + std::to_string(temperature));
  }
  return {units_per_logit,
          1.0 / (static_cast<double>(units_per_logit) * static_cast<double>(temperature))};
}

template <typename T>
void logits_stats(const MatrixView<T>& logits, const std::int64_t* targets,
                  const float* temperature, std::int64_t temperature_count, float softcap,
                  const TokenOutputs& out, const FoldTable& table) {
  const std::int64_t rows = logits.rows();
  const std::int64_t columns = logits.columns();
  check_targets(targets, rows, columns);
  for (std::int64_t i = 0; i < temperature_count; ++i) logit_units(temperature[i], i);
  const BlockFolds<T>& folds = table.of<T>();
  const std::int64_t splits = std::max<std::int64_t>(1, (columns + kSplit - 1) / kSplit);

  struct Setup {
    BlockTransform transform;
    LogitUnits units;
    float logit;
    float capped;
  };
  const auto setup = [&](std::int64_t row) {
    Setup s;
    s.units = logit_units(temperature[temperature_count == 1 ? 0 : row], row);
    s.transform.units_per_logit = s.units.units_per_logit;
    s.transform.softcap = softcap;
    folds.transform_one(logits.row(row) + targets[row], s.transform, &s.logit, &s.capped);
    return s;
  };
  const auto finish = [&](std::int64_t row, const Setup& s, const SoftmaxState<double>& state) {
    const double target =
        static_cast<double>(s.capped) * static_cast<double>(s.units.units_per_logit);
    out.set(row, finalize(state, target, s.units.nats_per_unit));
  };

  if (rows >= 8 * num_threads() || splits == 1) {
    const std::int64_t group =
        std::max<std::int64_t>(1, kTaskLogits / std::max<std::int64_t>(1, columns));
    parallel_for((rows + group - 1) / group, [&](std::int64_t task) {
      for (std::int64_t row = task * group; row < std::min(rows, (task + 1) * group); ++row) {
        if (targets[row] == kIgnoredTarget) {
          out.set(row, undefined_result<double>());
          continue;
        }
        const Setup s = setup(row);
        SoftmaxState<double> all;
        for (std::int64_t split = 0; split < splits; ++split) {
          const auto state =
              fold_split(logits.row(row), columns, split, s.transform, s.logit, folds);
          all = split == 0 ? state : merge(all, state);
        }
        finish(row, s, all);
      }
    });
    return;
  }

  std::vector<SoftmaxState<double>> states(static_cast<std::size_t>(rows * splits));
  parallel_for(rows * splits, [&](std::int64_t task) {
    const std::int64_t row = task / splits;
    if (targets[row] == kIgnoredTarget) return;
    const Setup s = setup(row);
    states[static_cast<std::size_t>(task)] =
        fold_split(logits.row(row), columns, task % splits, s.transform, s.logit, folds);
  });
  for (std::int64_t row = 0; row < rows; ++row) {
    if (targets[row] == kIgnoredTarget) {
      out.set(row, undefined_result<double>());
    } else {
      finish(row, setup(row), merged(states.data() + row * splits, splits));
    }
  }
}

template void logits_stats(const MatrixView<float>&, const std::int64_t*, const float*,
                           std::int64_t, float, const TokenOutputs&, const FoldTable&);
template void logits_stats(const MatrixView<Bfloat16>&, const std::int64_t*, const float*,
                           std::int64_t, float, const TokenOutputs&, const FoldTable&);
template void logits_stats(const MatrixView<Float16>&, const std::int64_t*, const float*,
                           std::int64_t, float, const TokenOutputs&, const FoldTable&);

RowFolds::RowFolds(std::int64_t rows, const std::int64_t* target_column, const float* target,
                   const float* target_bias, const float* temperature,
                   std::int64_t temperature_count, float scale, float softcap,
                   const FoldTable& folds)
    : rows_(static_cast<std::size_t>(rows)), scale_(scale), softcap_(softcap), folds_(folds) {
  for (std::int64_t i = 0; i < rows; ++i) {
    Row& row = rows_[static_cast<std::size_t>(i)];
    row.units = logit_units(temperature[temperature_count == 1 ? 0 : i], i);
    row.target_column = target_column[i];
    row.target = row.seen = target[i];
    const BlockTransform transform{
        {target_bias == nullptr ? nullptr : target_bias + i, scale, softcap},
        row.units.units_per_logit};
    folds.of_float.transform_one(target + i, transform, &row.target_logit, &row.target_capped);
  }
}

void RowFolds::fold(const MatrixView<float>& tile, std::int64_t first_column, const float* bias) {
  if (tile.rows() != rows()) {
    throw InvalidInput("a tile of " + std::to_string(tile.rows()) + " rows for folds of " +
                       std::to_string(rows()) + " rows");
  }
  const std::int64_t columns = tile.columns();
  const std::int64_t group =
      std::max<std::int64_t>(1, kTaskLogits / std::max<std::int64_t>(1, columns));
  parallel_for((rows() + group - 1) / group, [&](std::int64_t task) {
    for (std::int64_t i = task * group; i < std::min(rows(), (task + 1) * group); ++i) {
      Row& row = rows_[static_cast<std::size_t>(i)];
      const float* x = tile.row(i);
      const BlockTransform transform{{bias, scale_, softcap_}, row.units.units_per_logit};
      fold_columns(row.state, x, columns, transform, row.target_logit, folds_.of_float);
      const std::int64_t offset = row.target_column - first_column;
      if (offset >= 0 && offset < columns) row.seen = x[offset];
    }
  });
}

std::int64_t RowFolds::seen_targets(float* target) const {
  std::int64_t different = 0;
  for (std::int64_t i = 0; i < rows(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(i)];
    target[i] = row.seen;
    // A nan target is undefined for any bits.
    if (row.seen != row.target && !std::isnan(row.seen)) ++different;
  }
  return different;
}

void RowFolds::finalize(const TokenOutputs& out) const {
  for (std::int64_t i = 0; i < rows(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(i)];
    const double target =
        static_cast<double>(row.target_capped) * static_cast<double>(row.units.units_per_logit);
    out.set(i, rlvr::finalize(row.state, target, row.units.nats_per_unit));
  }
}

PairFolds::PairFolds(std::int64_t rows, const float* temperature, std::int64_t temperature_count,
                     const FoldTable& folds)
    : rows_(static_cast<std::size_t>(rows)), folds_(folds) {
  for (std::int64_t i = 0; i < rows; ++i) {
    rows_[static_cast<std::size_t>(i)].units =
        logit_units(temperature[temperature_count == 1 ? 0 : i], i);
  }
}

namespace {

void fold_pair_columns(DivergenceState<double>& state, const float* p, const float* q,
                       std::int64_t count, const BlockTransform& transform,
                       const BlockFolds<float>& folds) {
  const auto add = [&](const PairSums& sums, double shift_p, double shift_q) {
    state = merge(state, state_of(sums, shift_p, shift_q));
  };
  const float units = transform.units_per_logit;
  for (std::int64_t start = 0; start < count; start += kBlock) {
    const std::int64_t size = std::min(kBlock, count - start);
    if (usable(state.p.shift) && usable(state.q.shift)) {
      const Anchor at_p = Anchor::of_shift(state.p.shift);
      const Anchor at_q = Anchor::of_shift(state.q.shift);
      const PairSums sums = folds.fold_pair(p + start, q + start, size, transform, transform,
                                            at_p.reference, at_q.reference);
      if (well_chosen(sums.sum_p, sums.weighted_p) && well_chosen(sums.sum_q, sums.weighted_q)) {
        add(sums, at_p.shift, at_q.shift);
        continue;
      }
    }
    const Anchor at_p = Anchor::of_largest(folds.largest(p + start, size, transform), units);
    const Anchor at_q = Anchor::of_largest(folds.largest(q + start, size, transform), units);
    add(folds.fold_pair(p + start, q + start, size, transform, transform, at_p.reference,
                        at_q.reference),
        at_p.shift, at_q.shift);
  }
}

}  // namespace

void PairFolds::fold(const MatrixView<float>& tile_p, const MatrixView<float>& tile_q) {
  if (tile_p.rows() != rows() || tile_q.rows() != rows() || tile_p.columns() != tile_q.columns()) {
    throw InvalidInput("the two models' tiles and the folds must have the same shape");
  }
  parallel_for(rows(), [&](std::int64_t i) {
    Row& row = rows_[static_cast<std::size_t>(i)];
    BlockTransform transform;
    transform.units_per_logit = row.units.units_per_logit;
    fold_pair_columns(row.state, tile_p.row(i), tile_q.row(i), tile_p.columns(), transform,
                      folds_.of_float);
  });
}

void PairFolds::finalize(const float* target_p, const float* target_q,
                         const DivergenceOutputs& out) const {
  for (std::int64_t i = 0; i < rows(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(i)];
    const DivergenceResult<double> result = rlvr::finalize(row.state);
    const auto units_per_logit = static_cast<double>(row.units.units_per_logit);
    out.kl_pq[i] = static_cast<float>(result.kl_pq);
    out.kl_qp[i] = static_cast<float>(result.kl_qp);
    out.entropy_p[i] = static_cast<float>(result.entropy_p);
    out.entropy_q[i] = static_cast<float>(result.entropy_q);
    const auto logprob = [&](const SoftmaxState<double>& state, float target) {
      if (std::isnan(target)) return std::nanf("");
      return static_cast<float>(rlvr::finalize(state, static_cast<double>(target) * units_per_logit,
                                               row.units.nats_per_unit)
                                    .logprob);
    };
    out.logprob_p[i] = logprob(row.state.p, target_p[i]);
    out.logprob_q[i] = logprob(row.state.q, target_q[i]);
  }
}

}  // namespace rlvr
