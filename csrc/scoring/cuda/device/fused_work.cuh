// Shared parts of the fused kernels: arguments, units of work, and the values of a row.
//
// A unit of work is a block's rows x kFusedColumns columns of the vocabulary, and writes one
// partial state for each row. The splits of a row depend on the vocabulary alone, and finish_tiles
// merges the states. The sum over H runs in steps of 16, in order, and is never split. So the logit
// of a target, computed by the same instructions from gathered rows of the weight (kDiagonal), has
// the bits of the sweep.
#pragma once

#include "scoring/cuda/device/pair_register_fold.cuh"
#include "scoring/cuda/device/rows.cuh"
#include "scoring/cuda/launch.hpp"

namespace rlvr::cuda {

// kFold: all of TokenStats. kLogprob: the log-prob alone, for measuring the cost of the other
// statistics. kDiagonal: the logits of the targets.
enum class Job { kFold, kLogprob, kDiagonal };

struct Work {
  std::int64_t rows;
  std::int64_t columns;  // the vocabulary; for kDiagonal the rows of the gathered weight
  std::int64_t depth;    // H
  const std::int64_t* targets;
  const float* stored_targets;  // products, before bias, scale and softcap
  Temperatures temperatures;
  LogitTransform transform;
  PartialState* states;
  float* diagonal;
};

// Numbers the units of work, each a group of `rows` rows by kFusedColumns columns; neighbouring
// units share their columns. Counters have 32 bits, as in the tensor copy engine, because registers
// are scarce; fits_counters checks the range.
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

// The tiles of kColumns columns of a unit of `rows` rows; for kDiagonal, the one tile that the
// diagonal crosses in these rows.
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

// The fold of a row in the registers of a thread, and the target's logit, which the fold compares
// with.
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

// The arguments for two models: no targets, bias, scale or softcap.
struct PairWork {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth_p;
  std::int64_t depth_q;
  Temperatures temperatures;
  PartialPair* states;
};

// Writes the diagonal elements of a fragment whose two rows are upper and lower.
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
