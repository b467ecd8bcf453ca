// From a stored value x to the logit of the distribution: z = scale * (x + bias), then
// softcap(z) = c tanh(z / c). Ranks compare z, because two different z may round to one softcap(z).
#pragma once

#include <cmath>
#include <cstdint>

#include "math/float_bits.hpp"
#include "math/host_device.hpp"

namespace rlvr {

struct LogitTransform {
  const float* bias = nullptr;  // one value a column, or null
  float scale = 1.0f;
  float softcap = 0.0f;  // 0: none

  // Plain kernels and folds are compiled apart from the others, and read no LogitTransform.
  RLVR_HD bool plain() const { return scale == 1.0f && softcap == 0.0f && bias == nullptr; }

  RLVR_HD float uncapped(float x, std::int64_t column) const {
    return bias == nullptr ? x * scale : (x + bias[column]) * scale;
  }

  // The softcap leaves an infinite logit as it is: -inf marks a masked token.
  RLVR_HD float capped(float z) const {
    const bool infinite = z == negative_infinity() || z == -negative_infinity();
    return softcap > 0.0f && !infinite ? softcap * tanhf(z / softcap) : z;
  }
};

}  // namespace rlvr
