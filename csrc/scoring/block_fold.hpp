// What an instruction set must offer to the folds, and how the fastest one is chosen at run time.
// A block is a few thousand logits: it stays in L1, its sums are float32, and everything above it
// (logits_stats.cpp) is double.
#pragma once

#include <cstdint>

namespace rlvr {

// Bit patterns of the 16-bit floats; float itself is the third logit type.
struct BFloat16 {
  std::uint16_t bits;
};
struct Float16 {
  std::uint16_t bits;
};

inline constexpr std::int64_t kBlock = 16384;

// From a stored value x to the logit z = scale * (x + bias), and to the exponent
// u = units_per_logit * y, y = softcap(z) = cap * tanh(z / cap) where cap > 0.
struct Transform {
  float units_per_logit = 1.0f;
  float scale = 1.0f;
  float cap = 0.0f;
  const float* bias = nullptr;  // of the block's first column

  bool plain() const { return scale == 1.0f && cap == 0.0f && bias == nullptr; }
};

// What the exponents of a block are relative to. Near: u - value, one fused multiply-subtract.
// Far, where float32 cannot hold u to a fraction of 1: (y - value) * units_per_logit, and value is
// the block's largest y itself.
struct Reference {
  float value;
  bool far = false;
};

// Sums relative to the reference that the block was folded with.
struct BlockSums {
  float sum;
  float weighted;
  float above;
  std::int32_t count_above;
};

struct PairSums {
  float sum_p, weighted_p, cross_pq;
  float sum_q, weighted_q, cross_qp;
};

template <typename T>
struct BlockFolds {
  // Largest y (capped logit) of the block, nan left out; -inf where there is none.
  float (*largest)(const T* x, std::int64_t count, const Transform& transform);
  // `threshold` is a logit z: what exceeds it is `above`.
  BlockSums (*fold)(const T* x, std::int64_t count, const Transform& transform, Reference reference,
                    float threshold);
  PairSums (*fold_pair)(const T* p, const T* q, std::int64_t count, const Transform& transform_p,
                        const Transform& transform_q, Reference reference_p, Reference reference_q);
  // z and y of one stored value, by the very instructions that fold it.
  void (*one)(const T* x, const Transform& transform, float* z, float* y);
};

struct FoldTable {
  const char* name;
  BlockFolds<float> of_float;
  BlockFolds<BFloat16> of_bfloat16;
  BlockFolds<Float16> of_float16;

  template <typename T>
  const BlockFolds<T>& of() const;
};

template <>
inline const BlockFolds<float>& FoldTable::of<float>() const {
  return of_float;
}
template <>
inline const BlockFolds<BFloat16>& FoldTable::of<BFloat16>() const {
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
