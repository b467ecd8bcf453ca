// The folds, written once for a 16-lane vector `V`. Each fold_*.cpp includes this file and compiles
// the folds for one instruction set. All names are in the anonymous namespace of the including
// file: otherwise the linker could keep a template's AVX-512 code for all instruction sets.
//
// V offers load(const T*), load_pair(const T*, V&, V&) (32 elements, in any order that is the same
// for every instruction set), fill, +, -, *, /, fma, absolute, select(mask, a, b), max(a, b) and
// min(a, b) that give b where either is nan, greater(a, b) -> Mask, exp2 for exponents in
// [kLowestExponent, 63] and nan, and Count with add_where. Every V has 16 lanes and the same
// operations in the same order, so that the instruction sets with a fused multiply-add agree to
// about the last bit.

constexpr int kLanes = 16;
constexpr int kUnroll = 4;
constexpr std::int64_t kStep = kLanes * kUnroll;
static_assert(kBlock % kStep == 0);

constexpr std::ptrdiff_t kPrefetchBytes = 4096;

constexpr float kInfinity = __builtin_inff();

// 2^f on [0, 1]: minimax in relative error (7.5e-8), by Remez exchange.
constexpr float kExp2Coefficients[6] = {0.9999999251f, 0.6931530732f,   0.2401536174f,
                                        0.055826317f,  0.008989341451f, 0.001877576082f};

inline V exp2_fraction(V f) {
  V p = V::fill(kExp2Coefficients[5]);
  for (int i = 4; i >= 0; --i) p = fma(p, f, V::fill(kExp2Coefficients[i]));
  return p;
}

// The bound 63 keeps the exponent field in range where 2^n is assembled from bits. For a sum that
// large, or infinite, the caller chooses a higher reference.
inline V bounded(V exponent) {
  const V low = max(V::fill(kLowestExponent), exponent);
  if constexpr (V::kScalesAnyExponent) return low;
  return min(V::fill(63.0f), low);
}

// cap * tanh(z / cap). (1 - E) / (1 + E), E = exp(-2t), is exact to an ulp of 1 but not of t, so
// that the Taylor series takes over below t = 0.3 (next term 8e-9). An infinite logit stays as it
// is: -inf marks a masked token.
inline V softcap(V z, float cap) {
  const V t = absolute(z) * V::fill(1.0f / cap);
  const V e = exp2(max(V::fill(kLowestExponent), t * V::fill(-2.885390082f)));
  const V one = V::fill(1.0f);
  const V large = (one - e) / (one + e);
  const V t2 = t * t;
  V series = V::fill(0.021869488536155203f);
  series = fma(series, t2, V::fill(-0.053968253968253968f));
  series = fma(series, t2, V::fill(0.13333333333333333f));
  series = fma(series, t2, V::fill(-0.33333333333333333f));
  const V small = fma(series * t2, t, t);
  const V magnitude = select(greater(t, V::fill(0.3f)), large, small) * V::fill(cap);
  const V zero = V::fill(0.0f);
  const V capped = select(greater(zero, z), zero - magnitude, magnitude);
  return select(greater(t, V::fill(3e38f)), z, capped);
}

struct Accumulators {
  V sum = V::fill(0.0f);
  V weighted = V::fill(0.0f);
  V above = V::fill(0.0f);
  Count count = Count::zero();
};

inline V logit_of(V x, V bias, const BlockTransform& t) { return (x + bias) * V::fill(t.scale); }
inline V capped(V z, const BlockTransform& t) {
  return t.softcap > 0.0f ? softcap(z, t.softcap) : z;
}

template <bool kFar>
inline V exponent_from(V y, V units, V reference) {
  if constexpr (kFar) {
    return (y - reference) * units;
  } else {
    return exponent_of(y, units, reference);
  }
}

template <bool kFar>
inline void accumulate(Accumulators& into, V z, V y, V units, V reference, V target_logit) {
  const V exponent = bounded(exponent_from<kFar>(y, units, reference));
  const V p = exp2(exponent);
  into.sum = into.sum + p;
  into.weighted = fma(exponent, p, into.weighted);
  const Mask above = greater(z, target_logit);
  into.above = add_where(above, into.above, p);
  into.count = add_where(above, into.count);
}

// `accumulate` for kUnroll vectors at once, stage by stage: the dependent operations of one vector
// take about 45 cycles, and a scheduler that receives one chain after another holds too few chains
// to fill the pipelines.
template <bool kFar, bool kBounded>
inline void accumulate_all(Accumulators (&into)[kUnroll], const V (&z)[kUnroll], V units,
                           V reference, V target_logit) {
  V exponent[kUnroll], p[kUnroll];
  for (int k = 0; k < kUnroll; ++k) {
    exponent[k] = exponent_from<kFar>(z[k], units, reference);
    if constexpr (kBounded) exponent[k] = bounded(exponent[k]);
  }
  exp2_all(exponent, p);
  for (int k = 0; k < kUnroll; ++k) {
    into[k].sum = into[k].sum + p[k];
    into[k].weighted = fma(exponent[k], p[k], into[k].weighted);
    const Mask above = greater(z[k], target_logit);
    into[k].above = add_where(above, into[k].above, p[k]);
    into[k].count = add_where(above, into[k].count);
  }
}

// Adds the lanes in one order for all instruction sets.
inline float total(const V& a, const V& b, const V& c, const V& d) {
  float lanes[kLanes];
  store(lanes, (a + b) + (c + d));
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

template <typename T>
struct MaskedValue;
template <>
struct MaskedValue<float> {
  static constexpr float value = -kInfinity;
};
template <>
struct MaskedValue<Bfloat16> {
  static constexpr Bfloat16 value{0xff80};
};
template <>
struct MaskedValue<Float16> {
  static constexpr Float16 value{0xfc00};
};

// A copy of the last `count` < kStep elements, padded with -inf.
template <typename T>
struct PaddedStep {
  T x[kStep];
  float bias[kStep] = {};

  PaddedStep(const T* from, const float* from_bias, std::int64_t count) {
    for (std::int64_t j = 0; j < kStep; ++j) {
      x[j] = j < count ? from[j] : MaskedValue<T>::value;
      if (from_bias != nullptr && j < count) bias[j] = from_bias[j];
    }
  }
};

// Calls step(x, bias) for every kStep elements.
template <typename T, typename Step>
inline void for_each_step(const T* x, const float* bias, std::int64_t count, Step step) {
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) step(x + i, bias == nullptr ? nullptr : bias + i);
  if (i == count) return;
  const PaddedStep<T> last(x + i, bias == nullptr ? nullptr : bias + i, count - i);
  step(last.x, bias == nullptr ? nullptr : last.bias);
}

template <typename T>
inline V load_logit(const T* x, const float* bias, int k, const BlockTransform& t) {
  const V offset = bias == nullptr ? V::fill(0.0f) : V::load(bias + k * kLanes);
  return logit_of(V::load(x + k * kLanes), offset, t);
}

template <typename T>
float largest(const T* x, std::int64_t count, const BlockTransform& t) {
  V best[kUnroll];
  for (V& b : best) b = V::fill(-kInfinity);
  if (t.plain()) {
    for_each_step(x, t.bias, count, [&](const T* from, const float*) {
      for (int k = 0; k < kUnroll; k += 2) {
        V a, b;
        V::load_pair(from + k * kLanes, a, b);
        best[k] = max(a, best[k]);
        best[k + 1] = max(b, best[k + 1]);
      }
    });
  } else {
    for_each_step(x, t.bias, count, [&](const T* from, const float* bias) {
      for (int k = 0; k < kUnroll; ++k) {
        best[k] = max(capped(load_logit(from, bias, k, t), t), best[k]);
      }
    });
  }
  float lanes[kLanes];
  store(lanes, max(max(best[0], best[1]), max(best[2], best[3])));
  float result = -kInfinity;
  for (const float lane : lanes) result = lane > result ? lane : result;
  return result;
}

inline Sums totals(const Accumulators (&sums)[kUnroll]) {
  Sums out;
  out.sum = total(sums[0].sum, sums[1].sum, sums[2].sum, sums[3].sum);
  out.weighted = total(sums[0].weighted, sums[1].weighted, sums[2].weighted, sums[3].weighted);
  out.above = total(sums[0].above, sums[1].above, sums[2].above, sums[3].above);
  out.count_above = 0;
  for (const Accumulators& a : sums) out.count_above += total(a.count);
  return out;
}

template <typename T>
inline void load_step(const T* x, V (&z)[kUnroll]) {
  for (int k = 0; k < kUnroll; k += 2) V::load_pair(x + k * kLanes, z[k], z[k + 1]);
}

// Folds logits as stored. The loop is not in a lambda that captures the sums, because GCC keeps
// captured sums in memory, which halves the speed.
template <bool kFar, bool kBounded, typename T>
Sums fold_all(const T* x, std::int64_t count, V units, V reference, V target_logit) {
  Accumulators sums[kUnroll];
  V z[kUnroll];
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    // The hardware prefetcher stops at each page. A prefetch past the end of the row is harmless.
    for (std::size_t line = 0; line < kStep * sizeof(T); line += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(x + i) + kPrefetchBytes + line);
    }
    load_step(x + i, z);
    accumulate_all<kFar, kBounded>(sums, z, units, reference, target_logit);
  }
  if (i < count) {
    const PaddedStep<T> last(x + i, nullptr, count - i);
    load_step(last.x, z);
    accumulate_all<kFar, kBounded>(sums, z, units, reference, target_logit);
  }
  return totals(sums);
}

// Exponents need a lower bound where a logit is masked, because -inf * 0 is nan. Only a block with
// a masked logit is folded again with bounds.
template <bool kFar, typename T>
Sums fold_plain(const T* x, std::int64_t count, V units, V reference, V target_logit) {
  if constexpr (V::kScalesAnyExponent) {
    const Sums sums = fold_all<kFar, false>(x, count, units, reference, target_logit);
    const bool is_nan = sums.weighted != sums.weighted;
    if (!is_nan) return sums;
  }
  return fold_all<kFar, true>(x, count, units, reference, target_logit);
}

template <bool kFar, typename T>
Sums fold_from(const T* x, std::int64_t count, const BlockTransform& t, float reference,
               float target_logit) {
  const V units = V::fill(t.units_per_logit);
  const V ref = V::fill(reference);
  const V limit = V::fill(target_logit);
  if (t.plain()) return fold_plain<kFar>(x, count, units, ref, limit);
  Accumulators sums[kUnroll];
  for_each_step(x, t.bias, count, [&](const T* from, const float* bias) {
    for (int k = 0; k < kUnroll; ++k) {
      const V z = load_logit(from, bias, k, t);
      accumulate<kFar>(sums[k], z, capped(z, t), units, ref, limit);
    }
  });
  return totals(sums);
}

template <typename T>
Sums fold(const T* x, std::int64_t count, const BlockTransform& t, Reference reference,
          float target_logit) {
  return reference.far ? fold_from<true>(x, count, t, reference.value, target_logit)
                       : fold_from<false>(x, count, t, reference.value, target_logit);
}

// Adds probability * exponent of the other model. The product is 0 for a zero probability. For a
// positive probability and a masked logit the product is -inf, hence an infinite divergence.
inline V expected(V probability, V exponent, V sum) {
  const V zero = V::fill(0.0f);
  return fma(select(greater(probability, zero), exponent, zero), probability, sum);
}

template <typename T>
PairSums fold_pair(const T* p, const T* q, std::int64_t count, const BlockTransform& tp,
                   const BlockTransform& tq, Reference reference_p, Reference reference_q) {
  const V zero = V::fill(0.0f);
  V sum_p = zero, weighted_p = zero, cross_pq = zero;
  V sum_q = zero, weighted_q = zero, cross_qp = zero;
  const auto exponent = [](V y, const BlockTransform& t, Reference reference) {
    const V units = V::fill(t.units_per_logit);
    const V value = V::fill(reference.value);
    return reference.far ? exponent_from<true>(y, units, value)
                         : exponent_from<false>(y, units, value);
  };
  const auto step = [&](const T* from_p, const T* from_q, const float* bias_p, const float* bias_q,
                        int k) {
    const V yp = capped(load_logit(from_p, bias_p, k, tp), tp);
    const V yq = capped(load_logit(from_q, bias_q, k, tq), tq);
    const V ep = exponent(yp, tp, reference_p);
    const V eq = exponent(yq, tq, reference_q);
    const V bp = bounded(ep);
    const V bq = bounded(eq);
    const V pp = exp2(bp);
    const V pq = exp2(bq);
    sum_p = sum_p + pp;
    weighted_p = fma(bp, pp, weighted_p);
    cross_pq = expected(pp, eq, cross_pq);
    sum_q = sum_q + pq;
    weighted_q = fma(bq, pq, weighted_q);
    cross_qp = expected(pq, ep, cross_qp);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    step(p + i, q + i, tp.bias == nullptr ? nullptr : tp.bias + i,
         tq.bias == nullptr ? nullptr : tq.bias + i, 0);
  }
  if (i < count) {
    T padded_p[kLanes], padded_q[kLanes];
    float bias_p[kLanes] = {}, bias_q[kLanes] = {};
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const bool inside = i + j < count;
      padded_p[j] = inside ? p[i + j] : MaskedValue<T>::value;
      padded_q[j] = inside ? q[i + j] : MaskedValue<T>::value;
      if (inside && tp.bias != nullptr) bias_p[j] = tp.bias[i + j];
      if (inside && tq.bias != nullptr) bias_q[j] = tq.bias[i + j];
    }
    step(padded_p, padded_q, bias_p, bias_q, 0);
  }
  PairSums out;
  out.sum_p = total(sum_p, zero, zero, zero);
  out.weighted_p = total(weighted_p, zero, zero, zero);
  out.cross_pq = total(cross_pq, zero, zero, zero);
  out.sum_q = total(sum_q, zero, zero, zero);
  out.weighted_q = total(weighted_q, zero, zero, zero);
  out.cross_qp = total(cross_qp, zero, zero, zero);
  return out;
}

template <typename T>
void transform_one(const T* x, const BlockTransform& t, float* z, float* y) {
  T padded[kStep];
  for (T& value : padded) value = *x;
  float lanes[kLanes];
  if (t.plain()) {
    V a, b;
    V::load_pair(padded, a, b);
    store(lanes, a);
    *z = *y = lanes[0];
    return;
  }
  const V offset = V::fill(t.bias == nullptr ? 0.0f : *t.bias);
  const V logit = logit_of(V::load(padded), offset, t);
  store(lanes, logit);
  *z = lanes[0];
  store(lanes, capped(logit, t));
  *y = lanes[0];
}

template <typename T>
constexpr BlockFolds<T> folds_of() {
  return {largest<T>, fold<T>, fold_pair<T>, transform_one<T>};
}
