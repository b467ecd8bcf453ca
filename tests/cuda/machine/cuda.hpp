// What CUDA C++ gives a kernel: its keywords, its place in the grid, barriers, shuffles and
// atomics. For sources that are compiled for the machine (scoring/cuda/device/target.cuh).
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
// Of one block at a time: kernels that run in clusters take dynamic shared memory. It begins with
// what the block before left there.
#define __shared__ static

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

// Each lane of the warp offers a value of `bytes` bytes and gets that of lane `source`. All come
// with the same `argument`.
void shuffle(const char* what, void* value, std::size_t bytes, int source, int argument);
int lane();

template <typename Value>
Value shuffled(const char* what, unsigned lanes, Value value, int source, int argument) {
  static_assert(sizeof(Value) == 4 || sizeof(Value) == 8);
  if (lanes != 0xffffffffu) __trap();
  shuffle(what, &value, sizeof value, source, argument);
  return value;
}

}  // namespace machine

template <typename Value>
Value __shfl_xor_sync(unsigned lanes, Value value, int mask) {
  return machine::shuffled("__shfl_xor_sync", lanes, value, machine::lane() ^ mask, mask);
}

// The lowest lanes keep their own.
template <typename Value>
Value __shfl_up_sync(unsigned lanes, Value value, int delta) {
  const int lane = machine::lane();
  const int source = lane < delta ? lane : lane - delta;
  return machine::shuffled("__shfl_up_sync", lanes, value, source, delta);
}

// Threads are never torn apart between the two.
template <typename Value>
Value atomicAdd(Value* at, Value value) {
  const Value before = *at;
  *at = before + value;
  return before;
}
template <typename Value>
Value atomicMin(Value* at, Value value) {
  const Value before = *at;
  *at = value < before ? value : before;
  return before;
}

namespace rlvr::cuda {

unsigned char* dynamic_shared();

}  // namespace rlvr::cuda
