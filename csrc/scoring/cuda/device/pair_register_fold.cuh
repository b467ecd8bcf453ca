// The fold of two models over one tile, both in registers; register_fold.cuh is the fold of one
// model.
#pragma once

#include "scoring/cuda/device/pair_fold.cuh"
#include "scoring/cuda/device/register_fold.cuh"

namespace rlvr::cuda {

// The running sums of a row, relative to the largest logit of each model that this thread has read.
struct PairRowFold {
  float largest_p = negative_infinity();
  float largest_q = negative_infinity();
  PairSums sums;

  // Moves the sums to references that are not smaller, as merge of online_softmax.hpp does.
  RLVR_HD void move_to(float reference_p, float reference_q, float units_per_logit) {
    const float difference_p = shift_difference(largest_p, reference_p) * units_per_logit;
    const float difference_q = shift_difference(largest_q, reference_q) * units_per_logit;
    const float factor_p = fast_exp2(difference_p);
    const float factor_q = fast_exp2(difference_q);
    sums.cross_pq = moved(sums.cross_pq, sums.sum_p, factor_p, difference_q);
    sums.cross_qp = moved(sums.cross_qp, sums.sum_q, factor_q, difference_p);
    sums.weighted_p = (sums.weighted_p + bounded_difference(difference_p) * sums.sum_p) * factor_p;
    sums.weighted_q = (sums.weighted_q + bounded_difference(difference_q) * sums.sum_q) * factor_q;
    sums.sum_p *= factor_p;
    sums.sum_q *= factor_q;
    largest_p = reference_p;
    largest_q = reference_q;
  }

  // Adds one half of each model's fragment: the same columns of one row.
  template <int kHalf, int kSize>
  RLVR_HD void push(const float (&p)[kSize], const float (&q)[kSize], float units_per_logit) {
    float most_p = largest_p;
    float most_q = largest_q;
    RLVR_UNROLL
    for (int pair = 0; pair < kSize / 4; ++pair) {
      RLVR_UNROLL
      for (int element = 0; element < 2; ++element) {
        most_p = larger(most_p, p[fragment_index(kHalf, pair, element)]);
        most_q = larger(most_q, q[fragment_index(kHalf, pair, element)]);
      }
    }
    move_to(most_p, most_q, units_per_logit);
    const float reference_p = reference_shift(largest_p);
    const float reference_q = reference_shift(largest_q);
    RLVR_UNROLL
    for (int pair = 0; pair < kSize / 4; ++pair) {
      RLVR_UNROLL
      for (int element = 0; element < 2; ++element) {
        const int at = fragment_index(kHalf, pair, element);
        add_token(sums, (p[at] - reference_p) * units_per_logit,
                  (q[at] - reference_q) * units_per_logit);
      }
    }
  }

 private:
  // sum 2^(u_p - t_p) (u_q - t_q) after a change of references. -inf stays -inf for any factor.
  RLVR_HD static float moved(float cross, float sum, float factor, float difference) {
    if (cross == negative_infinity()) return cross;
    return cross_term(factor, cross + cross_term(sum, difference));
  }
};

RLVR_HD PartialPair make_partial(const PairRowFold& row, float units_per_logit) {
  return {static_cast<double>(units_per_logit) * static_cast<double>(row.largest_p),
          static_cast<double>(units_per_logit) * static_cast<double>(row.largest_q), row.sums};
}

}  // namespace rlvr::cuda
