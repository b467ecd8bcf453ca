// The two 16-bit types, as what a tensor core widens them to.
#pragma once

#include <cstdint>

namespace machine {

enum class HalfType { kBfloat16, kFloat16 };

float widened(std::uint16_t bits, HalfType type);

}  // namespace machine
