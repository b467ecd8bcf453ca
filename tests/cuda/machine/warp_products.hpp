// The tensor core instructions of a warp. PTX ISA, "Warp Level Matrix Instructions": ldmatrix, and
// mma.sync.m16n8k16 with its fragments. Sums are in float32 and in order of k.
#pragma once

#include <array>
#include <cstdint>

#include "machine/half.hpp"
#include "machine/shared_memory.hpp"

namespace machine {

// ldmatrix.sync.aligned.m8n8.x4.shared.b16: lane 8 m + r gives the address of row r of matrix m;
// register m of a lane is its pair of elements of matrix m.
void load_matrices(std::uint32_t (&registers)[4], Address row);

// mma.sync.aligned.m16n8k16.row.col.f32: d[0] to d[3] += a b.
void multiply_add(float* d, const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                  HalfType type);

// The number of additional turns that shared memory has needed for ldmatrix since the start of the
// process: the eight rows of a matrix need one turn where they lie in different banks.
std::uint64_t bank_conflicts();

}  // namespace machine
