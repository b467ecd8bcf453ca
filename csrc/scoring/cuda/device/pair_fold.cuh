// The fold of two models over one segment: the sums of each model, and the expectations of the
// other model's exponents.
#pragma once

#include "scoring/cuda/device/segment_fold.cuh"

namespace rlvr::cuda {

// Adds one token, given its exponent under each model.
RLVR_HD void add_token(PairSums& sums, float e_p, float e_q) {
  const float p_p = fast_exp2(e_p);
  const float p_q = fast_exp2(e_q);
  sums.sum_p += p_p;
  sums.sum_q += p_q;
  sums.weighted_p = fused(larger(e_p, kLowestExponent), p_p, sums.weighted_p);
  sums.weighted_q = fused(larger(e_q, kLowestExponent), p_q, sums.weighted_q);
  // No clamp: the divergence is +inf where one model masks a token that the other allows.
  sums.cross_pq += cross_term(p_p, e_q);
  sums.cross_qp += cross_term(p_q, e_p);
}

struct alignas(8) PartialPair {
  double shift_p;
  double shift_q;
  PairSums sums;
};

RLVR_HD DivergenceState<double> state_of(const PartialPair& partial) {
  DivergenceState<double> state;
  state.p.shift = partial.shift_p;
  state.p.sum = partial.sums.sum_p;
  state.p.weighted = partial.sums.weighted_p;
  state.q.shift = partial.shift_q;
  state.q.sum = partial.sums.sum_q;
  state.q.weighted = partial.sums.weighted_q;
  state.cross_pq = partial.sums.cross_pq;
  state.cross_qp = partial.sums.cross_qp;
  return state;
}

template <bool kPlain, int kThreads>
RLVR_HD PairSums fold_pair_slice(const Slice<float, kThreads>& p, const Slice<float, kThreads>& q,
                                 const Reference& r_p, const Reference& r_q,
                                 const LogitTransform& transform_p,
                                 const LogitTransform& transform_q, std::int64_t offset,
                                 std::int64_t end) {
  PairSums sums;
  RLVR_UNROLL
  for (int w = 0; w < kWords; ++w) {
    RLVR_UNROLL
    for (int i = 0; i < Word<float>::kElements; ++i) {
      float z_p = p.template logit<kPlain>(w, i, transform_p, offset, end);
      float z_q = q.template logit<kPlain>(w, i, transform_q, offset, end);
      if (!kPlain) {
        z_p = transform_p.capped(z_p);
        z_q = transform_q.capped(z_q);
      }
      add_token(sums, exponent_of(z_p, r_p), exponent_of(z_q, r_q));
    }
  }
  return sums;
}

struct PairResult {
  float kl_pq, kl_qp, entropy_p, entropy_q, logprob_p, logprob_q;
};

// target_p, target_q: capped logits, read only where has_target.
RLVR_HD PairResult finish_pair_row(const DivergenceState<double>& state, float units_per_logit,
                                   double temperature, bool has_target, float target_p,
                                   float target_q) {
  const float nan = float_of_bits(0x7fc00000u);
  if (!(temperature > 0.0)) return {nan, nan, nan, nan, nan, nan};
  const DivergenceResult<double> pair = finalize(state);
  PairResult out;
  out.kl_pq = static_cast<float>(pair.kl_pq);
  out.kl_qp = static_cast<float>(pair.kl_qp);
  out.entropy_p = static_cast<float>(pair.entropy_p);
  out.entropy_q = static_cast<float>(pair.entropy_q);
  out.logprob_p =
      has_target ? finish_row(state.p, units_per_logit, temperature, target_p).logprob : nan;
  out.logprob_q =
      has_target ? finish_row(state.q, units_per_logit, temperature, target_q).logprob : nan;
  return out;
}

}  // namespace rlvr::cuda
