// What CUDA C++ gives a kernel: its keywords, its place in the grid, barriers and shuffles. For
// sources that are compiled for the machine (scoring/cuda/device/target.cuh).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct Coordinates {
  unsigned x, y, z;
};
// Of the thread that runs.
extern Coordinates threadIdx;
extern Coordinates blockIdx;
extern Coordinates gridDim;
extern Coordinates blockDim;

void __syncthreads();
void __syncwarp();
[[noreturn]] void __trap();

namespace machine {

// Each lane of the warp offers `bytes` bytes and gets those of the lane whose number is its own
// exclusive-or `mask`.
void exchange(void* value, std::size_t bytes, int mask);

}  // namespace machine

template <typename Value>
Value __shfl_xor_sync(unsigned lanes, Value value, int mask) {
  static_assert(sizeof(Value) == 4 || sizeof(Value) == 8);
  if (lanes != 0xffffffffu) __trap();
  machine::exchange(&value, sizeof value, mask);
  return value;
}

namespace rlvr::cuda {

unsigned char* dynamic_shared();

}  // namespace rlvr::cuda
