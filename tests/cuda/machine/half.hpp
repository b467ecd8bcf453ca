// Conversion of the two 16-bit types to float, as in a tensor core.
#pragma once

#include <cstdint>

namespace machine {

enum class HalfType { kBfloat16, kFloat16 };

float to_float(std::uint16_t bits, HalfType type);

}  // namespace machine
