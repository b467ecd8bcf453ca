// Instructions of GPUs from sm_80 on: products of a warp on the tensor cores, and asynchronous
// copies of sixteen bytes from global to shared memory. One wrapper for each instruction; PTX ISA
// 7.0 and later. In the tests' host build, machine/ampere.hpp defines the same names (see
// target.cuh).
#pragma once

#include <cstdint>

#include "scoring/cuda/device/target.cuh"

#if defined(RLVR_HOST_MACHINE)
#include <machine/ampere.hpp>
#else

namespace rlvr::cuda::ampere {

// Copies the first `bytes` of sixteen bytes and fills the rest with zeros; both addresses are
// divisible by 16.
__device__ __forceinline__ void copy_async(void* destination, const void* source, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<std::uint32_t>(__cvta_generic_to_shared(destination))),
               "l"(__cvta_generic_to_global(source)), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits until at most the latest kPending groups of this thread are pending.
template <int kPending>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four matrices of 8 x 8 elements of two bytes: lane 8 m + r gives the address of row r of matrix
// m. Each lane receives, of each matrix, the pair of elements that the lane holds in a fragment.
__device__ __forceinline__ void load_matrices(std::uint32_t (&matrices)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
               : "r"(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

// d += A B^T: 16 x 16 by 8 x 16, float32 accumulators d[at, at + 4).
template <int kSize>
__device__ __forceinline__ void multiply_bfloat16(float (&d)[kSize], int at,
                                                  const std::uint32_t (&a)[4], std::uint32_t b0,
                                                  std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[at]), "+f"(d[at + 1]), "+f"(d[at + 2]), "+f"(d[at + 3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <int kSize>
__device__ __forceinline__ void multiply_float16(float (&d)[kSize], int at,
                                                 const std::uint32_t (&a)[4], std::uint32_t b0,
                                                 std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[at]), "+f"(d[at + 1]), "+f"(d[at + 2]), "+f"(d[at + 3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace rlvr::cuda::ampere

#endif
