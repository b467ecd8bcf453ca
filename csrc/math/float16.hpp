// The two 16-bit types of logits, as bit patterns; float is the third type.
#pragma once

#include <cstdint>

namespace rlvr {

struct Bfloat16 {
  std::uint16_t bits;
};

struct Float16 {
  std::uint16_t bits;
};

}  // namespace rlvr
