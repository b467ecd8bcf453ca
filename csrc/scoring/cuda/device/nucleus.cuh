// Exact top-p by counting: the tokens of the smallest set of probability >= p, taken from the most
// likely token on.
//
// A token's exponent e = log2 p - log2 max p is cut to a key, 2^20 steps an octave: about the
// resolution of a float32 exponent, so tokens with equal keys have equal float32 probabilities,
// which vLLM treats as ties too. Two histograms find the boundary key: one over its upper 13 bits,
// one over its lower 13 bits inside the boundary bin. The counts are integers, so the order of the
// atomic additions does not matter and the result is bitwise reproducible.
//
// Ties at the boundary are kept in the order of their index until the probability is reached, as
// vLLM's GPU sampler does (v1/sample/ops/topk_topp_triton.py, "index-ordered duplicate budget").
#pragma once

#include "scoring/cuda/device/segment_fold.cuh"

namespace rlvr::cuda {

inline constexpr int kBins = 1 << 13;
inline constexpr float kKeyStepsPerOctave = 1048576.0f;  // 2^20
inline constexpr double kOctavesPerKey = 1.0 / 1048576.0;
inline constexpr double kOctavesPerBin = 1.0 / 128.0;
inline constexpr float kOctaves = 63.9f;  // the range of keys of 26 bits

RLVR_HD double exp2_of(double x) { return exp2(x); }

RLVR_HD std::uint32_t nucleus_key(float exponent) {
  return exponent < 0.0f ? static_cast<std::uint32_t>(-exponent * kKeyStepsPerOctave) : 0u;
}

// Tokens less likely than (1 - p) / V have less than 1 - p in total, so none of them is in the
// nucleus.
RLVR_HD float nucleus_limit(double sum, double top_p, std::int64_t columns) {
  const double octaves = log2(static_cast<double>(columns) / ((1.0 - top_p) * sum)) + 1.0;
  return octaves < static_cast<double>(kOctaves) ? static_cast<float>(octaves) : kOctaves;
}

// The distance of a token's probability below the upper edge of the token's bin, in 2^-20 of that
// edge; each bin sums these offsets beside the count.
RLVR_HD std::uint32_t nucleus_offset(std::uint32_t key) {
  const float octaves = static_cast<float>(key & (kBins - 1)) * (1.0f / kKeyStepsPerOctave);
  return static_cast<std::uint32_t>((1.0f - fast_exp2(-octaves)) * kKeyStepsPerOctave + 0.5f);
}

RLVR_HD double bin_mass(int bin, std::uint32_t count, std::uint32_t offsets) {
  if (count == 0u) return 0.0;
  return exp2_of(-bin * kOctavesPerBin) *
         (static_cast<double>(count) - static_cast<double>(offsets) * kOctavesPerKey);
}

RLVR_HD double key_mass(std::uint32_t key) { return exp2_of(-(key * kOctavesPerKey)); }

// The boundary of the nucleus: all tokens with keys below `key`, and the first `quota` tokens with
// the key `key`.
struct Boundary {
  std::uint32_t key;
  std::uint32_t quota;
  double kept;  // probability of the nucleus, relative to the largest token's
};

// `before`: the probability of all keys < key; `count` tokens have this key.
RLVR_HD Boundary boundary_at(std::uint32_t key, std::uint32_t count, double before, double wanted) {
  const double mass = key_mass(key);
  const double needed = ceil((wanted - before) / mass);
  const double quota = needed < 1.0 ? 1.0 : (needed < count ? needed : count);
  return {key, static_cast<std::uint32_t>(quota), before + quota * mass};
}

RLVR_HD bool is_kept(const Boundary& boundary, std::uint32_t key, std::uint32_t ties_before) {
  return key < boundary.key || (key == boundary.key && ties_before < boundary.quota);
}

// The reference of a row's exponents, from the row's merged state.
RLVR_HD Reference row_reference(float units_per_logit, double shift) {
  const float largest = static_cast<float>(shift / static_cast<double>(units_per_logit));
  Reference r = make_reference(units_per_logit, largest);
  if (!r.far) r.shift = static_cast<float>(shift);
  return r;
}

}  // namespace rlvr::cuda
