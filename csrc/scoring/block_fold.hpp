// What an instruction set must offer to the folds, and how the fastest one is chosen at run time.
// A block is a few thousand logits: it stays in L1, its sums are float32, and everything above it
// (logits_stats.cpp) is double.
#pragma once

#include <cstdint>

#include "math/float16.hpp"
#include "math/logit_transform.hpp"
#include "math/online_softmax.hpp"

namespace rlvr {

inline constexpr std::int64_t kBlock = 16384;

// The transform of a block, whose `bias` begins at the block's first column. The exponent of a
// column is u = units_per_logit * y, y = softcap(z).
struct BlockTransform : LogitTransform {
  float units_per_logit = 1.0f;  // log2(e) / temperature
};

// What the exponents of a block are relative to. Near: u - value, one fused multiply-subtract.
// Far, where float32 cannot hold u to a fraction of 1: (y - value) * units_per_logit, and value is
// the block's largest y itself.
struct Reference {
  float value;
  bool far = false;
};

template <typename T>
struct BlockFolds {
  // Largest y (capped logit) of the block, nan left out; -inf where there is none.
  float (*largest)(const T* x, std::int64_t count, const BlockTransform& transform);
  // `target_logit` is a logit z: what exceeds it is `above`.
  Sums (*fold)(const T* x, std::int64_t count, const BlockTransform& transform, Reference reference,
               float target_logit);
  PairSums (*fold_pair)(const T* p, const T* q, std::int64_t count,
                        const BlockTransform& transform_p, const BlockTransform& transform_q,
                        Reference reference_p, Reference reference_q);
  // z and y of one stored value, by the very instructions that fold it.
  void (*transform_one)(const T* x, const BlockTransform& transform, float* z, float* y);
};

struct FoldTable {
  const char* name;
  BlockFolds<float> of_float;
  BlockFolds<Bfloat16> of_bfloat16;
  BlockFolds<Float16> of_float16;

  template <typename T>
  const BlockFolds<T>& of() const;
};

template <>
inline const BlockFolds<float>& FoldTable::of<float>() const {
  return of_float;
}
template <>
inline const BlockFolds<Bfloat16>& FoldTable::of<Bfloat16>() const {
  return of_bfloat16;
}
template <>
inline const BlockFolds<Float16>& FoldTable::of<Float16>() const {
  return of_float16;
}

// One per instruction set, nullptr where the compiler does not target it.
const FoldTable* baseline_folds();
const FoldTable* avx2_folds();
const FoldTable* avx512_folds();

}  // namespace rlvr
