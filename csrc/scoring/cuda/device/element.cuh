// Loads of logits: their types, and words of sixteen bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "math/float16.hpp"
#include "math/float_bits.hpp"
#include "math/host_device.hpp"
#include "scoring/cuda/device/target.cuh"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace rlvr::cuda {

RLVR_HD float to_float(float value) { return value; }

RLVR_HD float to_float(Bfloat16 value) {
  return float_of_bits(static_cast<std::uint32_t>(value.bits) << 16);
}

RLVR_HD float to_float(Float16 value) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(value.bits));
#else
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 31u;
  const std::uint32_t fraction = value.bits & 1023u;
  if (exponent == 31u) return float_of_bits(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0u) return float_of_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8f;  // 2^-24
  return sign != 0u ? -magnitude : magnitude;
#endif
}

// Sixteen bytes of a row, in four registers. The elements that a thread holds depend on their index
// in the row alone, never on the address of the row; batch invariance needs this.
template <typename T>
struct Word {
  static constexpr int kElements = 16 / static_cast<int>(sizeof(T));
  std::uint32_t quads[4];

  RLVR_HD float element(int i) const;
};

template <>
RLVR_HD float Word<float>::element(int i) const {
  return float_of_bits(quads[i]);
}
template <>
RLVR_HD float Word<Bfloat16>::element(int i) const {
  const std::uint32_t pair = quads[i / 2];
  return float_of_bits(i % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
}
template <>
RLVR_HD float Word<Float16>::element(int i) const {
  const std::uint32_t pair = quads[i / 2];
  return to_float(Float16{static_cast<std::uint16_t>(i % 2 == 0 ? pair : pair >> 16)});
}

// The four bytes of `row` that begin at element `first`. An element at or past `end` is -inf and is
// not read.
RLVR_HD std::uint32_t partial_quad(const float* row, std::int64_t first, std::int64_t end) {
  return first < end ? bits_of(row[first]) : 0xff800000u;
}
template <typename Half>
RLVR_HD std::uint32_t partial_half_quad(const Half* row, std::int64_t first, std::int64_t end,
                                        std::uint32_t masked) {
  const std::uint32_t low = first < end ? row[first].bits : masked;
  const std::uint32_t high = first + 1 < end ? row[first + 1].bits : masked;
  return low | (high << 16);
}
RLVR_HD std::uint32_t partial_quad(const Bfloat16* row, std::int64_t first, std::int64_t end) {
  return partial_half_quad(row, first, end, 0xff80u);
}
RLVR_HD std::uint32_t partial_quad(const Float16* row, std::int64_t first, std::int64_t end) {
  return partial_half_quad(row, first, end, 0xfc00u);
}

// The widest access that a row's address allows: 16, 4 or one element.
template <typename T>
RLVR_HD int access_bytes(const T* row) {
  const auto address = reinterpret_cast<std::uintptr_t>(row);
  return address % 16 == 0 ? 16 : (address % 4 == 0 ? 4 : static_cast<int>(sizeof(T)));
}

// A word whose elements all lie in the row; `source` is divisible by 16.
template <typename T>
RLVR_HD Word<T> load_whole_word(const T* source) {
  Word<T> word;
#if defined(__CUDA_ARCH__)
  const uint4 raw = __ldg(reinterpret_cast<const uint4*>(source));
  word.quads[0] = raw.x;
  word.quads[1] = raw.y;
  word.quads[2] = raw.z;
  word.quads[3] = raw.w;
#else
  std::memcpy(word.quads, source, sizeof word.quads);
#endif
  return word;
}

// row[first, first + kElements). An element at or past `end` is -inf and is not read.
template <typename T>
RLVR_HD Word<T> load_word(const T* row, std::int64_t first, std::int64_t end, int bytes) {
  constexpr int kPerQuad = 4 / static_cast<int>(sizeof(T));
  const bool whole = first + Word<T>::kElements <= end;
  if (whole && bytes == 16) return load_whole_word(row + first);
  Word<T> word;
#if defined(__CUDA_ARCH__)
  if (whole && bytes == 4) {
    const auto* quads = reinterpret_cast<const unsigned int*>(row + first);
    RLVR_UNROLL
    for (int q = 0; q < 4; ++q) word.quads[q] = __ldg(quads + q);
    return word;
  }
#endif
  RLVR_UNROLL
  for (int q = 0; q < 4; ++q) word.quads[q] = partial_quad(row, first + q * kPerQuad, end);
  return word;
}

}  // namespace rlvr::cuda
