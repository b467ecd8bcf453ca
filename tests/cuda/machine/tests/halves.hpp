// Small integers in the 16-bit types, which represent them exactly.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "machine/half.hpp"

namespace machine::tests {

inline std::uint16_t half_of(int value, HalfType type) {
  if (type == HalfType::kBfloat16) {
    const auto wide = static_cast<float>(value);
    std::uint32_t bits;
    std::memcpy(&bits, &wide, sizeof bits);
    return static_cast<std::uint16_t>(bits >> 16);
  }
  if (value == 0) return 0;
  const int exponent = std::ilogb(std::abs(value));
  const int fraction = (std::abs(value) << (10 - exponent)) - 1024;
  return static_cast<std::uint16_t>((value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | fraction);
}

// Operands where neighbouring elements differ in both directions.
inline int value_of_a(int row, int k) { return (row * 7 + k * 3) % 11 - 5; }
inline int value_of_b(int column, int k) { return (column * 5 + k * 2) % 13 - 6; }

inline float product_of(int row, int column, int first_k, int last_k) {
  int sum = 0;
  for (int k = first_k; k < last_k; ++k) sum += value_of_a(row, k) * value_of_b(column, k);
  return static_cast<float>(sum);
}

}  // namespace machine::tests
