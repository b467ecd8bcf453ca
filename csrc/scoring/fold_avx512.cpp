// The folds for AVX-512 (F, DQ, BW, VL). The standard headers come before the pragma, so that the
// compiler does not compile their inline functions for this instruction set.
#include "scoring/block_fold.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// GCC's own header reads an "undefined" register (GCC bug 105593); the warning does not concern
// this file.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,popcnt")

namespace rlvr {
namespace {

using Mask = __mmask16;

struct V {
  static constexpr bool kScalesAnyExponent = true;
  __m512 v;

  static V fill(float x) { return {_mm512_set1_ps(x)}; }
  static V load(const float* x) { return {_mm512_loadu_ps(x)}; }
  static V load(const Bfloat16* x) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
  }
  static V load(const Float16* x) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)))};
  }
  template <typename T>
  static void load_pair(const T* x, V& a, V& b) {
    a = load(x);
    b = load(x + 16);
  }
  // Even and odd elements: one instruction for each vector instead of two.
  static void load_pair(const Bfloat16* x, V& a, V& b) {
    const __m512i both = _mm512_loadu_si512(x);
    a.v = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    b.v = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(-65536)));
  }
};

inline V operator+(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
inline V operator-(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline V operator*(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline V operator/(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline V exponent_of(V y, V units, V reference) {
  return {_mm512_fmsub_ps(y.v, units.v, reference.v)};
}
inline V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
inline V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
inline V absolute(V a) { return {_mm512_abs_ps(a.v)}; }
inline Mask greater(V a, V b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline V select(Mask mask, V a, V b) { return {_mm512_mask_blend_ps(mask, b.v, a.v)}; }
inline V add_where(Mask mask, V a, V b) { return {_mm512_mask_add_ps(a.v, mask, a.v, b.v)}; }
inline void store(float* to, V a) { _mm512_storeu_ps(to, a.v); }

// Scalar units, which are idle otherwise, count the bits of a mask.
struct Count {
  std::int32_t n;
  static Count zero() { return {0}; }
};
inline Count add_where(Mask mask, Count a) {
  return {a.n + __builtin_popcount(static_cast<unsigned>(mask))};
}
inline std::int32_t total(Count a) { return a.n; }

inline V exp2_fraction(V f);
// scalef multiplies by 2^floor(exponent), so that only the fraction is needed.
inline V exp2(V exponent) {
  const V fraction{_mm512_reduce_ps(exponent.v, 0x09)};
  return {_mm512_scalef_ps(exp2_fraction(fraction).v, exponent.v)};
}

template <int kVectors>
inline void exp2_all(const V (&exponent)[kVectors], V (&p)[kVectors]);

#include "scoring/block_fold.inl"

template <int kVectors>
inline void exp2_all(const V (&exponent)[kVectors], V (&p)[kVectors]) {
  V fraction[kVectors];
  for (int k = 0; k < kVectors; ++k) {
    fraction[k].v = _mm512_reduce_ps(exponent[k].v, 0x09);
    p[k] = V::fill(kExp2Coefficients[5]);
  }
  for (int i = 4; i >= 0; --i) {
    for (int k = 0; k < kVectors; ++k) p[k] = fma(p[k], fraction[k], V::fill(kExp2Coefficients[i]));
  }
  for (int k = 0; k < kVectors; ++k) p[k].v = _mm512_scalef_ps(p[k].v, exponent[k].v);
}

}  // namespace

const FoldTable* avx512_folds() {
  static constexpr FoldTable table{"avx512", folds_of<float>(), folds_of<Bfloat16>(),
                                   folds_of<Float16>()};
  return &table;
}

}  // namespace rlvr

#pragma GCC pop_options

#else

namespace rlvr {
const FoldTable* avx512_folds() { return nullptr; }
}  // namespace rlvr

#endif
