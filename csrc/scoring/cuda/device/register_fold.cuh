// The epilogue of the fused products: the fold of an accumulator tile in registers, and the
// position of each accumulator in the tile.
//
// A warp holds 16 rows of a tile; a thread holds a quarter of the columns of two rows. PTX ISA:
// "wgmma.mma_async", register fragment D of .m64nNk16, and "mma.m16n8k16", fragment C, are alike.
#pragma once

#include "scoring/cuda/device/segment_fold.cuh"

namespace rlvr::cuda {

// Row of the tile that a thread's upper (half 0) or lower (half 1) accumulators belong to.
RLVR_HD int fragment_row(int thread, int half) {
  return (thread / 32) * 16 + (thread % 32) / 4 + 8 * half;
}
RLVR_HD int fragment_column(int thread, int pair, int element) {
  return pair * 8 + (thread % 4) * 2 + element;
}
RLVR_HD constexpr int fragment_index(int half, int pair, int element) {
  return pair * 4 + half * 2 + element;
}

// Turns a fragment of products, whose first column is `column` of the vocabulary, into logits
// before the softcap: applies bias and scale, and writes -inf at or past the end of the vocabulary,
// where the copies have filled in zeros.
template <bool kPlain, int kSize>
RLVR_HD void make_logits(float (&fragment)[kSize], int thread, std::int64_t column,
                         std::int64_t columns, const LogitTransform& transform) {
  const std::int64_t left = columns - column;
  const int inside = left < kSize * 2 ? static_cast<int>(left) : kSize * 2;
  if (!kPlain) {
    const float* bias = transform.bias == nullptr ? nullptr : transform.bias + column;
    RLVR_UNROLL
    for (int pair = 0; pair < kSize / 4; ++pair) {
      RLVR_UNROLL
      for (int element = 0; element < 2; ++element) {
        const int c = fragment_column(thread, pair, element);
        float b = 0.0f;
        if (bias != nullptr && c < inside) b = bias[c];
        float& upper = fragment[fragment_index(0, pair, element)];
        float& lower = fragment[fragment_index(1, pair, element)];
        upper = (upper + b) * transform.scale;
        lower = (lower + b) * transform.scale;
      }
    }
  }
  if (left >= kSize * 2) return;
  RLVR_UNROLL
  for (int pair = 0; pair < kSize / 4; ++pair) {
    RLVR_UNROLL
    for (int element = 0; element < 2; ++element) {
      if (fragment_column(thread, pair, element) < inside) continue;
      fragment[fragment_index(0, pair, element)] = negative_infinity();
      fragment[fragment_index(1, pair, element)] = negative_infinity();
    }
  }
}

// The running sums of a row, relative to the largest logit that this thread has read.
struct RowFold {
  float largest;
  Sums sums;

  RLVR_HD void clear() {
    largest = negative_infinity();
    sums = Sums{};
  }

  // Moves the sums to a larger reference, as moved_to of online_softmax.hpp does.
  RLVR_HD void move_to(float reference, float units_per_logit) {
    if (!(reference > largest)) return;
    float difference = (largest - reference) * units_per_logit;
    difference = difference < -1e30f ? -1e30f : difference;
    const float factor = fast_exp2(difference);
    sums.weighted = (sums.weighted + difference * sums.sum) * factor;
    sums.sum *= factor;
    sums.above *= factor;
    largest = reference;
  }

  RLVR_HD void merge(RowFold other, float units_per_logit) {
    const float most = larger(largest, other.largest);
    move_to(most, units_per_logit);
    other.move_to(most, units_per_logit);
    sums = sums + other.sums;
  }

  // Adds one half of a fragment: a quarter of the columns of one row. target_logit is a logit
  // before the softcap. kSumOnly: only the sum, which is sufficient for a log-prob.
  template <int kHalf, bool kPlain, bool kSumOnly, int kSize>
  RLVR_HD void push(const float (&fragment)[kSize], float units_per_logit, float target_logit,
                    const LogitTransform& transform) {
    float most = negative_infinity();
    RLVR_UNROLL
    for (int pair = 0; pair < kSize / 4; ++pair) {
      most = larger(most, larger(fragment[fragment_index(kHalf, pair, 0)],
                                 fragment[fragment_index(kHalf, pair, 1)]));
    }
    // The softcap keeps the order of logits.
    move_to(kPlain ? most : transform.capped(most), units_per_logit);
    const float reference = largest == negative_infinity() ? 0.0f : largest;
    RLVR_UNROLL
    for (int pair = 0; pair < kSize / 4; ++pair) {
      RLVR_UNROLL
      for (int element = 0; element < 2; ++element) {
        const float z = fragment[fragment_index(kHalf, pair, element)];
        const float exponent = ((kPlain ? z : transform.capped(z)) - reference) * units_per_logit;
        const float p = fast_exp2(exponent);
        sums.sum += p;
        if constexpr (!kSumOnly) {
          sums.weighted = fused(larger(exponent, kLowestExponent), p, sums.weighted);
          if (z > target_logit) {
            sums.above += p;
            sums.count_above += 1;
          }
        }
      }
    }
  }
};

// The partial state of a row, after merge_quad.
RLVR_HD PartialState make_partial(const RowFold& row, float units_per_logit) {
  return {static_cast<double>(units_per_logit) * static_cast<double>(row.largest), row.sums};
}

}  // namespace rlvr::cuda
