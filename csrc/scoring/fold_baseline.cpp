// The folds in portable C++: loops over sixteen lanes that the compiler vectorises for its target
// (SSE2, NEON). The results differ from those of the other files only because a multiply-add may
// round twice.
#include <bit>
#include <cmath>

#include "scoring/block_fold.hpp"

namespace rlvr {
namespace {

struct Mask {
  std::int32_t lane[16];  // 0 or -1; as wide as a float, so that selections vectorise
};

inline float to_float(float x) { return x; }
inline float to_float(Bfloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
// A denormal is its magnitude times 2^-24.
inline float to_float(Float16 x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = x.bits & 0x7fffu;
  std::uint32_t bits;
  if (magnitude >= 0x7c00u) {
    bits = 0x7f800000u | (magnitude & 0x3ffu) << 13;
  } else if (magnitude >= 0x400u) {
    bits = (magnitude << 13) + 0x38000000u;
  } else {
    const float denormal = static_cast<float>(magnitude) * 0x1p-24f;
    bits = std::bit_cast<std::uint32_t>(denormal);
  }
  return std::bit_cast<float>(bits | sign);
}

struct V {
  static constexpr bool kScalesAnyExponent = false;
  float lane[16];

  template <typename Operation>
  static V each(Operation operation) {
    V out;
    for (int i = 0; i < 16; ++i) out.lane[i] = operation(i);
    return out;
  }
  static V fill(float x) {
    return each([&](int) { return x; });
  }
  template <typename T>
  static V load(const T* x) {
    return each([&](int i) { return to_float(x[i]); });
  }
  template <typename T>
  static void load_pair(const T* x, V& a, V& b) {
    a = load(x);
    b = load(x + 16);
  }
  static void load_pair(const Bfloat16* x, V& a, V& b) {
    a = each([&](int i) { return to_float(x[2 * i]); });
    b = each([&](int i) { return to_float(x[2 * i + 1]); });
  }
};

inline V operator+(V a, V b) {
  return V::each([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline V operator-(V a, V b) {
  return V::each([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline V operator*(V a, V b) {
  return V::each([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline V operator/(V a, V b) {
  return V::each([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline V fma(V a, V b, V c) { return a * b + c; }
// Computed in double, where the product is exact: in float32, rounding at a reference of 1e4 would
// lose the difference.
inline V exponent_of(V y, V units, V reference) {
  return V::each([&](int i) {
    return static_cast<float>(static_cast<double>(y.lane[i]) * static_cast<double>(units.lane[i]) -
                              static_cast<double>(reference.lane[i]));
  });
}
inline V max(V a, V b) {
  return V::each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline V min(V a, V b) {
  return V::each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline V absolute(V a) {
  return V::each([&](int i) { return std::fabs(a.lane[i]); });
}
inline Mask greater(V a, V b) {
  Mask out;
  for (int i = 0; i < 16; ++i) out.lane[i] = -static_cast<std::int32_t>(a.lane[i] > b.lane[i]);
  return out;
}
inline V select(Mask mask, V a, V b) {
  return V::each([&](int i) { return mask.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline V add_where(Mask mask, V a, V b) {
  return V::each([&](int i) {
    return a.lane[i] + std::bit_cast<float>(std::bit_cast<std::int32_t>(b.lane[i]) & mask.lane[i]);
  });
}
inline void store(float* to, V a) {
  for (int i = 0; i < 16; ++i) to[i] = a.lane[i];
}

struct Count {
  std::int32_t lane[16];
  static Count zero() { return {}; }
};
inline Count add_where(Mask mask, Count a) {
  for (int i = 0; i < 16; ++i) a.lane[i] -= mask.lane[i];
  return a;
}
inline std::int32_t total(Count a) {
  std::int32_t sum = 0;
  for (const std::int32_t lane : a.lane) sum += lane;
  return sum;
}

inline V exp2_fraction(V f);

// As in fold_avx2.cpp. The exponent is bounded and nan is replaced by 0, so that truncation is
// defined; the product then restores nan.
inline V exp2(V exponent) {
  std::int32_t whole[16];
  for (int i = 0; i < 16; ++i) {
    const float e = exponent.lane[i] == exponent.lane[i] ? exponent.lane[i] : 0.0f;
    const auto truncated = static_cast<std::int32_t>(e);
    whole[i] = truncated - (static_cast<float>(truncated) > e ? 1 : 0);
  }
  const V fraction =
      V::each([&](int i) { return exponent.lane[i] - static_cast<float>(whole[i]); });
  const V p = exp2_fraction(fraction);
  return V::each([&](int i) {
    const float power = std::bit_cast<float>((whole[i] + 191) << 23);
    return (p.lane[i] * power) * 0x1p-64f;
  });
}

template <int kVectors>
inline void exp2_all(const V (&exponent)[kVectors], V (&p)[kVectors]) {
  for (int k = 0; k < kVectors; ++k) p[k] = exp2(exponent[k]);
}

#include "scoring/block_fold.inl"

}  // namespace

const FoldTable* baseline_folds() {
  static constexpr FoldTable table{"baseline", folds_of<float>(), folds_of<Bfloat16>(),
                                   folds_of<Float16>()};
  return &table;
}

}  // namespace rlvr
