// The folds for AVX2 with FMA and F16C: sixteen lanes in two registers, with bitwise the same
// arithmetic as fold_avx512.cpp.
#include "scoring/block_fold.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

namespace rlvr {
namespace {

struct Mask {
  __m256 lo, hi;
};

inline __m256 load_bfloat16(const Bfloat16* x) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

struct V {
  static constexpr bool kScalesAnyExponent = false;
  __m256 lo, hi;

  static V fill(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static V load(const float* x) { return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
  static V load(const Bfloat16* x) { return {load_bfloat16(x), load_bfloat16(x + 8)}; }
  static V load(const Float16* x) {
    const auto* from = reinterpret_cast<const __m128i*>(x);
    return {_mm256_cvtph_ps(_mm_loadu_si128(from)), _mm256_cvtph_ps(_mm_loadu_si128(from + 1))};
  }
  template <typename T>
  static void load_pair(const T* x, V& a, V& b) {
    a = load(x);
    b = load(x + 16);
  }
  static void load_pair(const Bfloat16* x, V& a, V& b) {
    const auto* from = reinterpret_cast<const __m256i*>(x);
    const __m256i first = _mm256_loadu_si256(from);
    const __m256i second = _mm256_loadu_si256(from + 1);
    const __m256i high = _mm256_set1_epi32(-65536);
    a = {_mm256_castsi256_ps(_mm256_slli_epi32(first, 16)),
         _mm256_castsi256_ps(_mm256_slli_epi32(second, 16))};
    b = {_mm256_castsi256_ps(_mm256_and_si256(first, high)),
         _mm256_castsi256_ps(_mm256_and_si256(second, high))};
  }
};

inline V operator+(V a, V b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
inline V operator-(V a, V b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
inline V operator*(V a, V b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
inline V operator/(V a, V b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
inline V fma(V a, V b, V c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline V exponent_of(V y, V units, V reference) {
  return {_mm256_fmsub_ps(y.lo, units.lo, reference.lo),
          _mm256_fmsub_ps(y.hi, units.hi, reference.hi)};
}
inline V max(V a, V b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
inline V min(V a, V b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
inline V absolute(V a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
inline Mask greater(V a, V b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
inline V select(Mask mask, V a, V b) {
  return {_mm256_blendv_ps(b.lo, a.lo, mask.lo), _mm256_blendv_ps(b.hi, a.hi, mask.hi)};
}
inline V add_where(Mask mask, V a, V b) {
  return {_mm256_add_ps(a.lo, _mm256_and_ps(mask.lo, b.lo)),
          _mm256_add_ps(a.hi, _mm256_and_ps(mask.hi, b.hi))};
}
inline void store(float* to, V a) {
  _mm256_storeu_ps(to, a.lo);
  _mm256_storeu_ps(to + 8, a.hi);
}

struct Count {
  __m256i lo, hi;
  static Count zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
};
inline Count add_where(Mask mask, Count a) {
  return {_mm256_sub_epi32(a.lo, _mm256_castps_si256(mask.lo)),
          _mm256_sub_epi32(a.hi, _mm256_castps_si256(mask.hi))};
}
inline std::int32_t total(Count a) {
  alignas(32) std::int32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_add_epi32(a.lo, a.hi));
  std::int32_t sum = 0;
  for (const std::int32_t lane : lanes) sum += lane;
  return sum;
}

inline V exp2_fraction(V f);

// value * 2^whole, whole in [-150, 63]: 2^(whole + 64) is a normal number, and the second product
// rounds once into the denormals, as scalef does.
inline __m256 scaled(__m256 value, __m256 whole) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(191));
  const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  return _mm256_mul_ps(_mm256_mul_ps(value, power), _mm256_set1_ps(0x1p-64f));
}

inline V exp2(V exponent) {
  const V whole{_mm256_floor_ps(exponent.lo), _mm256_floor_ps(exponent.hi)};
  const V p = exp2_fraction(exponent - whole);
  return {scaled(p.lo, whole.lo), scaled(p.hi, whole.hi)};
}

template <int kVectors>
inline void exp2_all(const V (&exponent)[kVectors], V (&p)[kVectors]) {
  for (int k = 0; k < kVectors; ++k) p[k] = exp2(exponent[k]);
}

#include "scoring/block_fold.inl"

}  // namespace

const FoldTable* avx2_folds() {
  static constexpr FoldTable table{"avx2", folds_of<float>(), folds_of<Bfloat16>(),
                                   folds_of<Float16>()};
  return &table;
}

}  // namespace rlvr

#pragma GCC pop_options

#else

namespace rlvr {
const FoldTable* avx2_folds() { return nullptr; }
}  // namespace rlvr

#endif
