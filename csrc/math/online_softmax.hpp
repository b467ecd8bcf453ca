// The fold of a row of logits into log-prob, entropy, logsumexp, rank and mass above. No other file
// holds this algebra. The functions compile for host and device, so that the CPU tests run the code
// of the CUDA kernels.
//
// Numeric policy
//  - Logits enter in base-2 units, u = z * units_per_logit, units_per_logit = log2(e) /
//  temperature,
//    so that an element costs one exp2. All sums are relative to `shift`, the largest u of the
//    state. Compute u - shift as fma(z, units_per_logit, -shift): this rounds once, and the
//    rounding of `shift` itself is common to all elements and cancels.
//  - weighted = sum (u - shift) 2^(u - shift), not sum u 2^(u - shift): every term is <= 0, so
//    entropy = log2(sum) - weighted / sum adds two non-negative numbers and never cancels.
//  - A masked logit (u = -inf) has 2^(u - shift) = 0, but (u - shift) * 0 is nan: clamp the factor
//    with `clamp_exponent` (2^-150 is 0 in float32, and the clamp keeps nan).
//  - A nan logit makes `sum` nan, and so does a +inf logit (inf - inf); merge keeps the nan. So no
//    flag is needed, but a maximum that drops nan may be used for `shift` only.
//  - The state of no logits, or of -inf logits alone, is {shift = -inf, all sums 0}, the neutral
//    element of merge. `reference_shift` gives the finite number to subtract in such a block.
//  - Beyond |u| = 2^22 the rounding of a float32 `shift` approaches 1, and for the largest logit
//    the fma then gives the rounding instead of 0 (rows around -1e30). There the exponent must be
//    (z - largest z) * units_per_logit, and `shift` the u of the largest logit.
//  - merge is associative up to rounding and exactly commutative; callers fix the order of merges.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/host_device.hpp"

namespace rlvr {

inline constexpr double kLog2E = 1.4426950408889634074;
inline constexpr double kLn2 = 0.69314718055994530942;
inline constexpr float kLowestExponent = -150.0f;

template <typename Real>
struct SoftmaxState {
  Real shift = static_cast<Real>(-INFINITY);  // largest u
  Real sum = 0;                               // sum 2^(u - shift)
  Real weighted = 0;                          // sum (u - shift) 2^(u - shift), <= 0
  Real above = 0;                             // the part of `sum` whose logit is > the target's
  std::int32_t count_above = 0;
};

// max(exponent, kLowestExponent), but nan for nan.
template <typename Real>
RLVR_HD Real clamp_exponent(Real exponent) {
  return exponent < static_cast<Real>(kLowestExponent) ? static_cast<Real>(kLowestExponent)
                                                       : exponent;
}

template <typename Real>
RLVR_HD Real reference_shift(Real shift) {
  return shift == static_cast<Real>(-INFINITY) ? Real(0) : shift;
}

// The difference from - to of two references, to >= from; 0 where both are the same infinity.
template <typename Real>
RLVR_HD Real shift_difference(Real from, Real to) {
  return from == to ? Real(0) : from - to;
}

// `difference` <= 0 bounded below, so that 0 * difference is 0 and not nan.
template <typename Real>
RLVR_HD Real bounded_difference(Real difference) {
  return difference < Real(-1e30) ? Real(-1e30) : difference;
}

// Converts a state to the reference `shift` >= state.shift: sum (u - t) 2^(u - t) = 2^d (weighted +
// d sum), d = state.shift - t.
template <typename Real>
RLVR_HD SoftmaxState<Real> moved_to(const SoftmaxState<Real>& state, Real shift) {
  const Real difference = shift_difference(state.shift, shift);
  if (difference == Real(0)) return state;
  const Real factor = std::exp2(difference);
  SoftmaxState<Real> moved;
  moved.shift = shift;
  moved.sum = state.sum * factor;
  moved.weighted = (state.weighted + bounded_difference(difference) * state.sum) * factor;
  moved.above = state.above * factor;
  moved.count_above = state.count_above;
  return moved;
}

template <typename Real>
RLVR_HD SoftmaxState<Real> merge(const SoftmaxState<Real>& a, const SoftmaxState<Real>& b) {
  const Real shift = a.shift > b.shift ? a.shift : b.shift;
  const SoftmaxState<Real> x = moved_to(a, shift);
  const SoftmaxState<Real> y = moved_to(b, shift);
  SoftmaxState<Real> merged;
  merged.shift = shift;
  merged.sum = x.sum + y.sum;
  merged.weighted = x.weighted + y.weighted;
  merged.above = x.above + y.above;
  merged.count_above = x.count_above + y.count_above;
  return merged;
}

// Adds one logit: for tails, tests and callers without a block.
template <typename Real>
RLVR_HD void push(SoftmaxState<Real>& state, Real u, bool is_above) {
  if (u > state.shift) state = moved_to(state, u);
  const Real exponent = u - reference_shift(state.shift);
  const Real p = std::exp2(exponent);
  state.sum += p;
  state.weighted += clamp_exponent(exponent) * p;
  state.above += is_above ? p : Real(0);
  state.count_above += is_above ? 1 : 0;
}

template <typename To, typename From>
RLVR_HD SoftmaxState<To> converted(const SoftmaxState<From>& state) {
  SoftmaxState<To> out;
  out.shift = static_cast<To>(state.shift);
  out.sum = static_cast<To>(state.sum);
  out.weighted = static_cast<To>(state.weighted);
  out.above = static_cast<To>(state.above);
  out.count_above = state.count_above;
  return out;
}

// The float32 sums of consecutive columns (a block on the CPU, a segment on a GPU), relative to a
// shift that is stored beside them.
struct Sums {
  float sum = 0;
  float weighted = 0;
  float above = 0;
  std::int32_t count_above = 0;
};

RLVR_HD Sums operator+(const Sums& a, const Sums& b) {
  return {a.sum + b.sum, a.weighted + b.weighted, a.above + b.above, a.count_above + b.count_above};
}

// The statistics of one row, in nats.
template <typename Real>
struct TokenResult {
  Real logprob;
  Real entropy;
  Real logsumexp;
  Real mass_above;
  std::int32_t rank;
};

template <typename Real>
RLVR_HD TokenResult<Real> undefined_result() {
  const Real nan = static_cast<Real>(NAN);
  return {nan, nan, nan, nan, -1};
}

// target_u: the target's logit in the same units, computed from the bits that were folded.
// nats_per_unit: ln 2, or 1 / (units_per_logit * temperature) in double where units_per_logit was
// rounded to float32 (removes that rounding, worth 1e-5 in a logsumexp of 100). Returns nan and
// rank -1 where a logit is nan or +inf, where all logits are -inf, or where there are no logits.
// logprob is -inf where only the target is masked.
template <typename Real>
RLVR_HD TokenResult<Real> finalize(const SoftmaxState<Real>& state, Real target_u,
                                   Real nats_per_unit = static_cast<Real>(kLn2)) {
  if (!(state.sum > Real(0))) return undefined_result<Real>();
  const Real log_sum = std::log2(state.sum);
  const Real logprob = nats_per_unit * ((target_u - state.shift) - log_sum);
  const Real entropy = static_cast<Real>(kLn2) * (log_sum - state.weighted / state.sum);
  const Real mass = state.above / state.sum;
  TokenResult<Real> out;
  out.logprob = logprob > Real(0) ? Real(0) : logprob;
  out.entropy = entropy < Real(0) ? Real(0) : entropy;
  out.logsumexp = nats_per_unit * (state.shift + log_sum);
  out.mass_above = mass > Real(1) ? Real(1) : mass;
  out.rank = state.count_above;
  return out;
}

// Two models over one vocabulary: the state of each model, and the expectation of each model's
// exponents under the other model.
template <typename Real>
struct DivergenceState {
  SoftmaxState<Real> p;
  SoftmaxState<Real> q;
  Real cross_pq = 0;  // sum 2^(u_p - shift_p) (u_q - shift_q); -inf where q masks a token of p
  Real cross_qp = 0;
};

// probability * exponent, but 0 for a zero probability and an infinite exponent.
template <typename Real>
RLVR_HD Real cross_term(Real probability, Real exponent) {
  return probability == Real(0) ? Real(0) : probability * exponent;
}

namespace detail {

// sum 2^(u_p - t_p) (u_q - t_q) = 2^d_p (cross + d_q sum_p). -inf stays -inf for any factor.
template <typename Real>
RLVR_HD Real moved_cross(Real cross, Real sum_p, Real difference_p, Real difference_q) {
  if (cross == static_cast<Real>(-INFINITY)) return cross;
  const Real shifted = cross + cross_term(sum_p, difference_q);
  return cross_term(std::exp2(difference_p), shifted);
}

}  // namespace detail

template <typename Real>
RLVR_HD DivergenceState<Real> merge(const DivergenceState<Real>& a,
                                    const DivergenceState<Real>& b) {
  DivergenceState<Real> merged;
  merged.p = merge(a.p, b.p);
  merged.q = merge(a.q, b.q);
  const Real a_p = shift_difference(a.p.shift, merged.p.shift);
  const Real a_q = shift_difference(a.q.shift, merged.q.shift);
  const Real b_p = shift_difference(b.p.shift, merged.p.shift);
  const Real b_q = shift_difference(b.q.shift, merged.q.shift);
  merged.cross_pq = detail::moved_cross(a.cross_pq, a.p.sum, a_p, a_q) +
                    detail::moved_cross(b.cross_pq, b.p.sum, b_p, b_q);
  merged.cross_qp = detail::moved_cross(a.cross_qp, a.q.sum, a_q, a_p) +
                    detail::moved_cross(b.cross_qp, b.q.sum, b_q, b_p);
  return merged;
}

template <typename Real>
RLVR_HD void push(DivergenceState<Real>& state, Real u_p, Real u_q) {
  DivergenceState<Real> one;
  push(one.p, u_p, false);
  push(one.q, u_q, false);
  one.cross_pq = cross_term(one.p.sum, u_q == one.q.shift && one.q.sum > 0 ? Real(0) : u_q);
  one.cross_qp = cross_term(one.q.sum, u_p == one.p.shift && one.p.sum > 0 ? Real(0) : u_p);
  state = merge(state, one);
}

// As Sums, for two models.
struct PairSums {
  float sum_p = 0;
  float weighted_p = 0;
  float cross_pq = 0;
  float sum_q = 0;
  float weighted_q = 0;
  float cross_qp = 0;
};

RLVR_HD PairSums operator+(const PairSums& a, const PairSums& b) {
  return {a.sum_p + b.sum_p, a.weighted_p + b.weighted_p, a.cross_pq + b.cross_pq,
          a.sum_q + b.sum_q, a.weighted_q + b.weighted_q, a.cross_qp + b.cross_qp};
}

template <typename Real>
struct DivergenceResult {
  Real kl_pq;
  Real kl_qp;
  Real entropy_p;
  Real entropy_q;
};

// KL(p || q) = E_p[u_p - shift_p] - log2 sum_p - E_p[u_q - shift_q] + log2 sum_q, in nats; +inf
// where q masks a token that p allows, nan where either row is undefined; never below 0.
template <typename Real>
RLVR_HD DivergenceResult<Real> finalize(const DivergenceState<Real>& state) {
  const Real nan = static_cast<Real>(NAN);
  if (!(state.p.sum > Real(0)) || !(state.q.sum > Real(0))) return {nan, nan, nan, nan};
  const Real ln2 = static_cast<Real>(kLn2);
  const Real log_p = std::log2(state.p.sum);
  const Real log_q = std::log2(state.q.sum);
  const Real mean_p = state.p.weighted / state.p.sum;
  const Real mean_q = state.q.weighted / state.q.sum;
  const Real pq = ln2 * ((mean_p - state.cross_pq / state.p.sum) + (log_q - log_p));
  const Real qp = ln2 * ((mean_q - state.cross_qp / state.q.sum) + (log_p - log_q));
  const Real entropy_p = ln2 * (log_p - mean_p);
  const Real entropy_q = ln2 * (log_q - mean_q);
  DivergenceResult<Real> out;
  out.kl_pq = pq < Real(0) ? Real(0) : pq;
  out.kl_qp = qp < Real(0) ? Real(0) : qp;
  out.entropy_p = entropy_p < Real(0) ? Real(0) : entropy_p;
  out.entropy_q = entropy_q < Real(0) ? Real(0) : entropy_q;
  return out;
}

}  // namespace rlvr
