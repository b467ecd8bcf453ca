// What the fused kernels share: their arguments, how the work is cut, and a row's values.
//
// A unit of work is a block's rows x kFusedColumns columns of the vocabulary, and leaves one
// partial state a row: rows are split by the vocabulary alone, and finish_tiles merges the states.
// The sum over H runs in steps of 16, in order, and is never split: so the logit of a target, made
// by the same instructions from gathered rows of the weight (kDiagonal), has the bits of the sweep.
#pragma once

#include "scoring/cuda/device/pair_register_fold.cuh"
#include "scoring/cuda/device/rows.cuh"
#include "scoring/cuda/launch.hpp"

namespace rlvr::cuda {

// kFold: all of TokenStats. kLogprob: the log-prob alone, to measure what the rest costs.
// kDiagonal: the targets' logits.
enum class Job { kFold, kLogprob, kDiagonal };

struct Work {
  std::int64_t rows;
  std::int64_t columns;  // of the vocabulary; for kDiagonal, of the gathered weight: the rows
  std::int64_t depth;    // H
  const std::int64_t* targets;
  const float* stored_targets;  // products, before bias, scale and softcap
  Temperatures temperatures;
  LogitTransform transform;
  PartialState* states;
  float* diagonal;
};

// Units of groups of `rows` rows; neighbouring units share their columns. Counted in 32 bits, as
// the copy engine counts rows: registers are scarce. fits_counters says whether they do.
template <Job kJob>
struct WorkUnits {
  int groups;
  int count;

  RLVR_HD WorkUnits(std::int64_t all_rows, std::int64_t columns, int rows)
      : groups(static_cast<int>(ceil_div(all_rows, rows))),
        count(kJob == Job::kDiagonal
                  ? groups
                  : groups * static_cast<int>(ceil_div(columns, kFusedColumns))) {}

  RLVR_HD int group(int unit) const { return unit % groups; }
  RLVR_HD int segment(int unit) const { return unit / groups; }
};

RLVR_HD bool fits_counters(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  constexpr std::int64_t kMost = 1 << 30;
  return rows <= kMost && columns <= kMost && depth <= kMost &&
         ceil_div(rows, 64) * ceil_div(columns, kFusedColumns) <= kMost;
}

// Tiles of kColumns columns that a unit of `rows` rows multiplies: of the diagonal the one that
// crosses these rows.
template <Job kJob, int kColumns>
struct TileRange {
  int begin;  // first column
  int count;

  RLVR_HD TileRange(const WorkUnits<kJob>& units, int unit, int rows, std::int64_t columns) {
    if (kJob == Job::kDiagonal) {
      begin = units.group(unit) * rows / kColumns * kColumns;
      count = 1;
      return;
    }
    begin = units.segment(unit) * static_cast<int>(kFusedColumns);
    const std::int64_t left = ceil_div(columns - begin, kColumns);
    constexpr int kMost = static_cast<int>(kFusedColumns / kColumns);
    count = left < kMost ? static_cast<int>(left) : kMost;
  }
};

// A row in the registers of a thread, and what its logits are compared with.
struct FusedRow {
  RowFold fold;
  float units_per_logit = 1.0f;
  float target_logit = 0.0f;  // before the softcap

  template <bool kPlain>
  RLVR_HD void begin(const Work& work, std::int64_t row) {
    fold.clear();
    if (row >= work.rows) return;
    units_per_logit = units_per_logit_of(work.temperatures(row));
    target_logit = work.stored_targets[row];
    if (kPlain) return;
    const std::int64_t target = work.targets[row];
    if (target >= 0 && target < work.columns) {
      target_logit = work.transform.uncapped(target_logit, target);
    }
  }
};

// Two models: no targets, bias, scale or softcap.
struct PairWork {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth_p;
  std::int64_t depth_q;
  Temperatures temperatures;
  PartialPair* states;
};

// Writes what lies on the diagonal of a fragment whose rows are upper and lower.
template <int kSize>
RLVR_HD void store_diagonal(const float (&fragment)[kSize], int thread, int column, int upper,
                            int lower, const Work& work) {
  RLVR_UNROLL
  for (int pair = 0; pair < kSize / 4; ++pair) {
    RLVR_UNROLL
    for (int element = 0; element < 2; ++element) {
      const int c = column + fragment_column(thread, pair, element);
      if (c >= work.rows) continue;
      if (c == upper) work.diagonal[c] = fragment[fragment_index(0, pair, element)];
      if (c == lower) work.diagonal[c] = fragment[fragment_index(1, pair, element)];
    }
  }
}

}  // namespace rlvr::cuda
