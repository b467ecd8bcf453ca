// float32 and its bit pattern.
#pragma once

#include <cstdint>
#include <cstring>

#include "math/host_device.hpp"

namespace rlvr {

RLVR_HD float float_of_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

RLVR_HD std::uint32_t bits_of(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

RLVR_HD float negative_infinity() { return float_of_bits(0xff800000u); }

}  // namespace rlvr
