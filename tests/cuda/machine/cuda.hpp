// The built-ins of CUDA C++ for kernels that are compiled for the machine
// (scoring/cuda/device/target.cuh): keywords, the position in the grid, barriers, shuffles and
// atomics.
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
// Static shared memory is one object for all blocks, because blocks run one after another; a block
// begins with the values of the block before. Kernels that run in clusters must use dynamic shared
// memory.
#define __shared__ static

struct Coordinates {
  unsigned x, y, z;
};
// The position of the running thread.
extern Coordinates threadIdx;
extern Coordinates blockIdx;
extern Coordinates gridDim;
extern Coordinates blockDim;

void __syncthreads();
void __syncwarp();
[[noreturn]] void __trap();

namespace machine {

// Each lane of the warp gives a value of `bytes` bytes and receives the value of lane `source`. All
// lanes must pass the same `argument`.
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

// The lowest `delta` lanes keep their own values.
template <typename Value>
Value __shfl_up_sync(unsigned lanes, Value value, int delta) {
  const int lane = machine::lane();
  const int source = lane < delta ? lane : lane - delta;
  return machine::shuffled("__shfl_up_sync", lanes, value, source, delta);
}

// The schedule never interrupts a thread between the load and the store.
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
