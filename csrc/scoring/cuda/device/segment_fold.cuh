// The fold of one thread's share of a segment of a row. The kernels and the host tests run the same
// source.
//
// A row is cut into segments of kThreads x kWords words: the cut depends on the vocabulary alone.
// The sums of a segment are relative to the segment's largest logit, so that an element costs one
// exp2 and no sum is rescaled; the segments of a row are merged in double, in order.
#pragma once

#include "math/logit_transform.hpp"
#include "math/online_softmax.hpp"
#include "scoring/cuda/device/element.cuh"

namespace rlvr::cuda {

inline constexpr int kWords =
    8;  // sixteen-byte words of a thread; all their loads are in flight at once

template <typename T, int kThreads>
inline constexpr int kSegment = kThreads * kWords * Word<T>::kElements;

RLVR_HD float fast_exp2(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));  // 2 ulp; PTX ISA 9.7.3
  return y;
#else
  return std::exp2(x);
#endif
}

RLVR_HD float fused(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

// The maximum without nan, as fmaxf.
RLVR_HD float larger(float a, float b) {
#if defined(__CUDA_ARCH__)
  return fmaxf(a, b);
#else
  return std::fmax(a, b);
#endif
}

// The reference of a segment's exponents.
struct Reference {
  float units_per_logit;  // log2(e) / temperature
  float largest;          // the segment's largest logit
  float shift;            // units_per_logit * largest, rounded; 0 where the product is infinite
  double exact;           // the exact reference of the exponents below; -inf for an empty segment
  bool far;  // |shift| is so large that its rounding matters: subtract before multiplying
};

RLVR_HD Reference make_reference(float units_per_logit, float largest) {
  Reference r;
  r.units_per_logit = units_per_logit;
  r.largest = largest;
  r.shift = units_per_logit * largest;
  const float bound = 65536.0f;
  r.far = r.shift > bound || r.shift < -bound;
  r.exact = r.far ? static_cast<double>(units_per_logit) * static_cast<double>(largest)
                  : static_cast<double>(r.shift);
  if (largest == negative_infinity()) {  // no logits: any finite shift is correct
    r.exact = static_cast<double>(negative_infinity());
    r.shift = 0.0f;
    r.far = false;
  }
  return r;
}

// Exponent of one logit, <= 0 up to rounding.
RLVR_HD float exponent_of(float z, const Reference& r) {
  return r.far ? (z - r.largest) * r.units_per_logit : fused(z, r.units_per_logit, -r.shift);
}

// kMaybeFar = false where the reference is not far in the whole block: one instruction.
template <bool kMaybeFar>
struct ExponentOf {
  const Reference& reference;
  RLVR_HD float operator()(float z) const {
    return kMaybeFar ? exponent_of(z, reference)
                     : fused(z, reference.units_per_logit, -reference.shift);
  }
};

// The result of a segment in the workspace.
struct alignas(8) PartialState {
  double shift;
  Sums sums;
};

RLVR_HD PartialState make_partial(const Reference& r, const Sums& sums) { return {r.exact, sums}; }

RLVR_HD SoftmaxState<double> state_of(const PartialState& partial) {
  SoftmaxState<double> state;
  state.shift = partial.shift;
  state.sum = partial.sums.sum;
  state.weighted = partial.sums.weighted;
  state.above = partial.sums.above;
  state.count_above = partial.sums.count_above;
  return state;
}

// The words of one thread. Word w holds elements [(w * kThreads + thread) * kElements, + kElements)
// of the segment that begins at `begin`.
template <typename T, int kThreads>
struct Slice {
  Word<T> words[kWords];
  std::int64_t first;  // column of this thread's first element

  RLVR_HD void load(const T* row, std::int64_t begin, std::int64_t end, int thread, int bytes) {
    first = begin + static_cast<std::int64_t>(thread) * Word<T>::kElements;
    // Nearly all segments take this path: one branch for the block, then all loads are in flight at
    // once.
    if (bytes == 16 && begin + kSegment<T, kThreads> <= end) {
      const T* source = row + first;
      RLVR_UNROLL
      for (int w = 0; w < kWords; ++w) {
        words[w] = load_whole_word(source + w * kThreads * Word<T>::kElements);
      }
      return;
    }
    RLVR_UNROLL
    for (int w = 0; w < kWords; ++w) words[w] = load_word(row, column(w, 0), end, bytes);
  }

  // Makes the compiler convert the words again: otherwise it keeps all floats of the first pass for
  // the second pass, which needs too many registers.
  RLVR_HD void refresh() {
#if defined(__CUDA_ARCH__)
    RLVR_UNROLL
    for (int w = 0; w < kWords; ++w) {
      RLVR_UNROLL
      for (int q = 0; q < 4; ++q) asm volatile("" : "+r"(words[w].quads[q]));
    }
#endif
  }

  RLVR_HD std::int64_t column(int word, int element) const {
    return first + static_cast<std::int64_t>(word) * kThreads * Word<T>::kElements + element;
  }

  // The logit before the softcap. Past the end there is no bias to read.
  template <bool kPlain>
  RLVR_HD float logit(int w, int i, const LogitTransform& transform, std::int64_t offset,
                      std::int64_t end) const {
    const float x = words[w].element(i);
    if (kPlain || column(w, i) >= end) return x;
    return transform.uncapped(x, offset + column(w, i));
  }

  template <bool kPlain>
  RLVR_HD float largest(const LogitTransform& transform, std::int64_t offset,
                        std::int64_t end) const {
    float most = negative_infinity();
    RLVR_UNROLL
    for (int w = 0; w < kWords; ++w) {
      RLVR_UNROLL
      for (int i = 0; i < Word<T>::kElements; ++i) {
        const float z = logit<kPlain>(w, i, transform, offset, end);
        most = larger(most, kPlain ? z : transform.capped(z));
      }
    }
    return most;
  }

  template <bool kPlain, typename Exponent>
  RLVR_HD Sums fold(Exponent exponent_of_logit, float target_logit, const LogitTransform& transform,
                    std::int64_t offset, std::int64_t end) const {
    Sums sums;
    RLVR_UNROLL
    for (int w = 0; w < kWords; ++w) {
      RLVR_UNROLL
      for (int i = 0; i < Word<T>::kElements; ++i) {
        const float z = logit<kPlain>(w, i, transform, offset, end);
        const float exponent = exponent_of_logit(kPlain ? z : transform.capped(z));
        const float p = fast_exp2(exponent);
        sums.sum += p;
        // A masked logit gives -inf * 0: the clamp makes it -150 * 0. A nan stays nan through p.
        sums.weighted = fused(larger(exponent, kLowestExponent), p, sums.weighted);
        if (z > target_logit) {
          sums.above += p;
          sums.count_above += 1;
        }
      }
    }
    return sums;
  }

  template <bool kPlain>
  RLVR_HD Sums fold(const Reference& r, float target_logit, const LogitTransform& transform,
                    std::int64_t offset, std::int64_t end) const {
    if (kPlain && !r.far) {
      return fold<kPlain>(ExponentOf<false>{r}, target_logit, transform, offset, end);
    }
    return fold<kPlain>(ExponentOf<true>{r}, target_logit, transform, offset, end);
  }
};

RLVR_HD float units_per_logit_of(double temperature) {
  return static_cast<float>(kLog2E / temperature);
}

// The statistics of a row from its merged state. target_logit is a logit after the softcap.
// nats_per_unit removes the rounding of units_per_logit.
RLVR_HD TokenResult<float> finish_row(const SoftmaxState<double>& state, float units_per_logit,
                                      double temperature, float target_logit) {
  if (!(temperature > 0.0)) return undefined_result<float>();
  const double target = static_cast<double>(units_per_logit) * static_cast<double>(target_logit);
  const double nats_per_unit = 1.0 / (static_cast<double>(units_per_logit) * temperature);
  const TokenResult<double> row = finalize(state, target, nats_per_unit);
  TokenResult<float> out;
  out.logprob = static_cast<float>(row.logprob);
  out.entropy = static_cast<float>(row.entropy);
  out.logsumexp = static_cast<float>(row.logsumexp);
  out.mass_above = static_cast<float>(row.mass_above);
  out.rank = row.rank;
  return out;
}

}  // namespace rlvr::cuda
