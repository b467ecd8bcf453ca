// The fold of an accumulator tile that lies in registers, and where its elements are: the epilogue
// of the fused product. Runs on the host too (tests/cuda/emulation.cpp).
//
// A thread of a warpgroup holds, of a 64 x 256 tile, two rows and 64 columns of each (PTX ISA,
// "wgmma.mma_async", register fragment D of .m64nNk16).
#pragma once

#include "scoring/cuda/device/segment_fold.cuh"

namespace rlvr::cuda {

inline constexpr int kFragmentColumns = 256;
inline constexpr int kFragment = kFragmentColumns / 2;  // accumulators a thread: 2 rows x 64

// Row of the 64-row tile that a thread's upper (half 0) or lower (half 1) accumulators belong to.
RLVR_HD int fragment_row(int thread, int half) {
  return (thread / 32) * 16 + (thread % 32) / 4 + 8 * half;
}
RLVR_HD int fragment_column(int thread, int pair, int element) {
  return pair * 8 + (thread % 4) * 2 + element;
}
RLVR_HD constexpr int fragment_index(int half, int pair, int element) {
  return pair * 4 + half * 2 + element;
}

// A row's running sums, relative to the largest logit seen by this thread.
struct RowFold {
  float largest;
  Sums sums;

  RLVR_HD void clear() {
    largest = negative_infinity();
    sums = Sums{};
  }

  // Moves the sums to a larger reference: as moved_to of online_softmax.hpp.
  RLVR_HD void move_to(float reference, float units) {
    if (!(reference > largest)) return;
    float difference = (largest - reference) * units;
    difference = difference < -1e30f ? -1e30f : difference;
    const float factor = fast_exp2(difference);
    sums.weighted = (sums.weighted + difference * sums.sum) * factor;
    sums.sum *= factor;
    sums.above *= factor;
    largest = reference;
  }

  // One half of a fragment: 64 columns of one row.
  template <int kHalf>
  RLVR_HD void push(const float (&fragment)[kFragment], float units, float target_logit) {
    float most = negative_infinity();
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int pair = 0; pair < kFragment / 4; ++pair) {
      most = larger(most, larger(fragment[fragment_index(kHalf, pair, 0)],
                                 fragment[fragment_index(kHalf, pair, 1)]));
    }
    move_to(most, units);
    const float reference = largest == negative_infinity() ? 0.0f : largest;
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
    for (int pair = 0; pair < kFragment / 4; ++pair) {
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
      for (int element = 0; element < 2; ++element) {
        const float z = fragment[fragment_index(kHalf, pair, element)];
        const float exponent = (z - reference) * units;
        const float p = fast_exp2(exponent);
        sums.sum += p;
        sums.weighted = fused(larger(exponent, kLowestExponent), p, sums.weighted);
        if (z > target_logit) {
          sums.above += p;
          sums.count_above += 1;
        }
      }
    }
  }
};

// What a row leaves in the workspace, once its quad of threads agrees on `largest`.
RLVR_HD PartialState make_partial(const RowFold& row, float units) {
  return {static_cast<double>(units) * static_cast<double>(row.largest), row.sums};
}

}  // namespace rlvr::cuda
