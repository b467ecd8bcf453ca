// Statistics of logits on the CPU: of whole rows, or of rows whose columns arrive in tiles.
//
// Numeric policy: float32 inside a block of kBlock logits, double for merges. A row is cut into
// splits of kSplit columns for any number of rows and threads, and splits are merged from left to
// right. So the statistics of a row are bitwise the same alone, in any batch and with any number of
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

// The instruction sets that this processor supports, fastest first: "avx512", "avx2", "baseline".
std::vector<std::string> instruction_sets();
// Throws InvalidInput for a name that is not in that list; the empty name selects the fastest set.
const FoldTable& fold_table(const std::string& instruction_set);

// temperature: one for each row, or one for all rows where temperature_count is 1. softcap: 0 for
// none. Throws InvalidInput where a target is neither a column nor kIgnoredTarget, or a temperature
// is not positive.
template <typename T>
void logits_stats(const MatrixView<T>& logits, const std::int64_t* targets,
                  const float* temperature, std::int64_t temperature_count, float softcap,
                  const TokenOutputs& out, const FoldTable& folds);

// The two factors that follow from a temperature.
struct LogitUnits {
  float units_per_logit;  // log2(e) / temperature
  double nats_per_unit;   // from u to nats, without the rounding of units_per_logit
};
LogitUnits logit_units(float temperature, std::int64_t row);

// Rows whose logits are scale * (x + bias), where x arrives in tiles of columns. Every tile holds
// the same rows in the same order.
class RowFolds {
 public:
  // target_column: the column of each row's target. target: x in that column, computed before the
  // sweep; target_bias: the bias of that column (nullptr for none).
  RowFolds(std::int64_t rows, const std::int64_t* target_column, const float* target,
           const float* target_bias, const float* temperature, std::int64_t temperature_count,
           float scale, float softcap, const FoldTable& folds);

  std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  // tile: the columns from first_column on; bias: the bias of these columns, or nullptr.
  void fold(const MatrixView<float>& tile, std::int64_t first_column, const float* bias);
  // Rank and ties are exact only where `target` had the bits of the tiles. Writes x of each target
  // as in the tiles, and returns the number of values that differ from the given ones.
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

// As RowFolds, for two models over one vocabulary.
class PairFolds {
 public:
  PairFolds(std::int64_t rows, const float* temperature, std::int64_t temperature_count,
            const FoldTable& folds);

  std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  void fold(const MatrixView<float>& tile_p, const MatrixView<float>& tile_q);
  // target_p, target_q: the logits of each row's target, nan for a row without a target.
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
