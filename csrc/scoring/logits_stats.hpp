// Statistics of logits on the CPU: whole rows at once, or rows whose columns arrive tile by tile.
//
// Numeric policy: float32 inside a block of kBlock logits, double above it; a row is cut into
// splits of kSplit columns whatever the number of rows or threads, and splits are merged from left
// to right. So a row's statistics are bitwise the same alone, in any batch and with any number of
// threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/matrix_view.hpp"
#include "math/online_softmax.hpp"
#include "math/result_arrays.hpp"
#include "scoring/block_fold.hpp"

namespace rlvr {

inline constexpr std::int64_t kSplit = 4 * kBlock;
inline constexpr std::int64_t kIgnoredTarget = -100;

// Instruction sets that this machine runs, fastest first: "avx512", "avx2", "baseline".
std::vector<std::string> instruction_sets();
// Throws InvalidInput for a name not in that list; the empty name is the fastest.
const FoldTable& fold_table(const std::string& instruction_set);

// temperature: one a row, or one for all where temperature_count is 1. softcap: 0 for none.
// Throws InvalidInput where a target is neither a column nor kIgnoredTarget, or a temperature is
// not positive.
template <typename T>
void logits_stats(const MatrixView<T>& logits, const std::int64_t* targets,
                  const float* temperature, std::int64_t temperature_count, float softcap,
                  const TokenOutputs& out, const FoldTable& folds);

// One temperature, as the folds use it.
struct LogitUnits {
  float units_per_logit;  // log2(e) / temperature
  double nats_per_unit;   // back to nats, free of the rounding of per_logit
};
LogitUnits logit_units(float temperature, std::int64_t row);

// Rows whose logits are scale * (x + bias), x arriving in tiles of columns, in any number and order
// of rows that the caller repeats.
class RowFolds {
 public:
  // target_column: where each row's target stands. target: x there, known before the sweep;
  // target_bias likewise (nullptr for none).
  RowFolds(std::int64_t rows, const std::int64_t* target_column, const float* target,
           const float* target_bias, const float* temperature, std::int64_t temperature_count,
           float scale, float softcap, const FoldTable& folds);

  std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  // tile holds the columns from first_column on; bias is of those columns, or nullptr.
  void fold(const MatrixView<float>& tile, std::int64_t first_column, const float* bias);
  // Rank and ties are exact only if `target` had the very bits of the tiles. Writes x of each
  // target as the tiles carried it, and returns how many differ from what was given.
  std::int64_t seen_targets(float* target) const;
  void finalize(const TokenOutputs& out) const;

 private:
  struct Row {
    SoftmaxState<double> state;
    LogitUnits units;
    std::int64_t target_column;
    float target;
    float seen;
    float target_logit;
    float target_capped;
  };
  std::vector<Row> rows_;
  float scale_;
  float softcap_;
  const FoldTable& folds_;
};

// The same for two models over one vocabulary.
class PairFolds {
 public:
  PairFolds(std::int64_t rows, const float* temperature, std::int64_t temperature_count,
            const FoldTable& folds);

  std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  void fold(const MatrixView<float>& tile_p, const MatrixView<float>& tile_q);
  // target_p, target_q: logits of each row's target, nan where it has none.
  void finalize(const float* target_p, const float* target_q, const DivergenceOutputs& out) const;

 private:
  struct Row {
    DivergenceState<double> state;
    LogitUnits units;
  };
  std::vector<Row> rows_;
  const FoldTable& folds_;
};

}  // namespace rlvr
