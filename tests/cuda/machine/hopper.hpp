// The instructions of scoring/cuda/device/hopper.cuh, under the same names, for kernels that are
// compiled for the machine.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "machine/shared_memory.hpp"

namespace rlvr::cuda::hopper {

using TensorMap = CUtensorMap;

using machine::shared_address;

void barrier_init(std::uint64_t* barrier, int arrivals);
void barrier_init_fence();
void barrier_expect(std::uint64_t* barrier, std::uint32_t bytes);
void barrier_arrive(std::uint64_t* barrier, std::uint32_t block);
void barrier_wait(std::uint64_t* barrier, std::uint32_t parity);
void cluster_sync();
std::uint32_t cluster_rank();
void prefetch_map(const TensorMap* map);
void copy_box(const TensorMap* map, std::uint64_t* barrier, void* destination, int column, int row);
void copy_box_to(const TensorMap* map, std::uint64_t* barrier, void* destination, int column,
                 int row, std::uint16_t mask);
std::uint64_t tile_descriptor(const void* tile);
void product_fence();
void product_commit();
void product_wait(int pending);
void multiply_bfloat16(float (&d)[128], std::uint64_t a, std::uint64_t b, int accumulate);
void multiply_float16(float (&d)[128], std::uint64_t a, std::uint64_t b, int accumulate);
void multiply_bfloat16(float (&d)[64], std::uint64_t a, std::uint64_t b, int accumulate);
void multiply_float16(float (&d)[64], std::uint64_t a, std::uint64_t b, int accumulate);

template <int kPending>
void product_wait() {
  product_wait(kPending);
}

// PTX ISA, setmaxnreg: 24 to 256 in steps of 8. The machine has enough registers for any value.
template <int kRegisters>
void more_registers() {
  static_assert(kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0);
}
template <int kRegisters>
void fewer_registers() {
  more_registers<kRegisters>();
}

}  // namespace rlvr::cuda::hopper
