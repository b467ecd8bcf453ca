// The instructions of scoring/cuda/device/ampere.cuh, under the same names, for kernels that are
// compiled for the machine.
#pragma once

#include <cstdint>

#include "machine/half.hpp"

namespace rlvr::cuda::ampere {

void copy_async(void* destination, const void* source, int bytes);
void copy_commit();
void copy_wait(int pending);
template <int kPending>
void copy_wait() {
  copy_wait(kPending);
}

void load_matrices(std::uint32_t (&matrices)[4], const void* row);

void multiply(float* d, const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
              machine::HalfType type);
template <int kSize>
void multiply_bfloat16(float (&d)[kSize], int at, const std::uint32_t (&a)[4], std::uint32_t b0,
                       std::uint32_t b1) {
  multiply(d + at, a, b0, b1, machine::HalfType::kBfloat16);
}
template <int kSize>
void multiply_float16(float (&d)[kSize], int at, const std::uint32_t (&a)[4], std::uint32_t b0,
                      std::uint32_t b1) {
  multiply(d + at, a, b0, b1, machine::HalfType::kFloat16);
}

}  // namespace rlvr::cuda::ampere
