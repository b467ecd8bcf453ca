#include "machine/half.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace machine {

namespace {

// IEEE 754 binary16, by its definition.
float float16(std::uint32_t bits) {
  const float sign = (bits & 0x8000u) != 0 ? -1.0f : 1.0f;
  const int exponent = static_cast<int>(bits >> 10 & 31u);
  const auto fraction = static_cast<float>(bits & 1023u);
  if (exponent == 31) {
    return fraction == 0.0f ? sign * std::numeric_limits<float>::infinity()
                            : std::numeric_limits<float>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024.0f + fraction, exponent - 25);
}

}  // namespace

float to_float(std::uint16_t bits, HalfType type) {
  if (type == HalfType::kBfloat16) {
    const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  static const std::vector<float> values = [] {
    std::vector<float> all(1 << 16);
    for (std::uint32_t b = 0; b < all.size(); ++b) all[b] = float16(b);
    return all;
  }();
  return values[bits];
}

}  // namespace machine
