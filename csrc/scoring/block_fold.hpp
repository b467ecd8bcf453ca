// The interface of the folds that each instruction set implements. logits_stats.cpp chooses one
// implementation at run time. A block is a few thousand logits that fit the L1 cache. The sums of a
// block are float32; logits_stats.cpp merges blocks in double.
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

// The reference that is subtracted from the exponents of a block. Not far: the exponent is u -
// value, by one fused multiply-subtract. Far, where float32 holds u to no fraction of 1: the
// exponent is (y - value) * units_per_logit, and `value` is the largest y of the block.
struct Reference {
  float value;
  bool far = false;
};

template <typename T>
struct BlockFolds {
  // The largest y (logit after the softcap) of the block without nan values; -inf for an empty
  // block.
  float (*largest)(const T* x, std::int64_t count, const BlockTransform& transform);
  // `target_logit` is a logit z (before the softcap); larger logits count as `above`.
  Sums (*fold)(const T* x, std::int64_t count, const BlockTransform& transform, Reference reference,
               float target_logit);
  PairSums (*fold_pair)(const T* p, const T* q, std::int64_t count,
                        const BlockTransform& transform_p, const BlockTransform& transform_q,
                        Reference reference_p, Reference reference_q);
  // z and y of one stored value, computed by the instructions of `fold`, so that the bits are the
  // same.
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

// One table for each instruction set; nullptr where the compiler cannot target the set.
const FoldTable* baseline_folds();
const FoldTable* avx2_folds();
const FoldTable* avx512_folds();

}  // namespace rlvr
