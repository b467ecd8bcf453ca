#include "machine/warp_products.hpp"

#include <algorithm>
#include <cstring>

#include "machine/machine.hpp"

namespace machine {

namespace {

std::uint64_t conflicts = 0;

struct Load {
  Address row;
  std::uint32_t registers[4];
};

// 32 banks of 4 bytes: a row of 16 bytes occupies four banks, and eight rows occupy all.
int turns_of(const std::array<Address, 8>& rows) {
  std::array<int, 8> rows_in = {};
  int turns = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (std::find(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(r), rows[r]) !=
        rows.begin() + static_cast<std::ptrdiff_t>(r)) {
      continue;  // equal rows are read once
    }
    turns = std::max(turns, ++rows_in[rows[r] / 16 % 8]);
  }
  return turns;
}

void load_all(const SharedMemory& shared, const std::vector<void*>& lanes) {
  const auto load = [&](int lane) -> Load& { return *static_cast<Load*>(lanes[lane]); };
  for (int m = 0; m < 4; ++m) {
    std::array<Address, 8> rows;
    for (int r = 0; r < 8; ++r) {
      rows[r] = load(8 * m + r).row;
      if (rows[r] % 16 != 0) fault("ldmatrix of a row at " + hex(rows[r]) + ", not aligned to 16");
      shared.check_read(rows[r], 16, "ldmatrix");
      // Lane 4 r + c gets elements 2 c and 2 c + 1 of row r, the first in the low half.
      for (int c = 0; c < 4; ++c) {
        std::memcpy(&load(4 * r + c).registers[m], shared.at(rows[r], 16, "ldmatrix") + 4 * c, 4);
      }
    }
    conflicts += static_cast<std::uint64_t>(turns_of(rows) - 1);
  }
}

struct Multiplication {
  float* d;
  const std::uint32_t* a;
  const std::uint32_t* b;
  HalfType type;
};

// A register holds two elements that are neighbours in k, the first element in the low half.
void unpack(std::uint32_t pair, HalfType type, float& low, float& high) {
  low = to_float(static_cast<std::uint16_t>(pair), type);
  high = to_float(static_cast<std::uint16_t>(pair >> 16), type);
}

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type": with g = lane / 4 and
// t = lane % 4, registers 0 to 3 of A are (row, k) = (g, 2 t), (g + 8, 2 t), (g, 2 t + 8) and
// (g + 8, 2 t + 8); 0 and 1 of B are (k, column) = (2 t, g) and (2 t + 8, g); 0 to 3 of D are
// (row, column) = (g, 2 t), (g, 2 t + 1), (g + 8, 2 t) and (g + 8, 2 t + 1).
void multiply_all(const std::vector<void*>& lanes) {
  float a[16][16];
  float b[16][8];
  for (int lane = 0; lane < kWarpThreads; ++lane) {
    const auto& mine = *static_cast<const Multiplication*>(lanes[lane]);
    const int g = lane / 4;
    const int t = lane % 4;
    for (int i = 0; i < 4; ++i) {
      float* const at = &a[g + 8 * (i % 2)][2 * t + 8 * (i / 2)];
      unpack(mine.a[i], mine.type, at[0], at[1]);
    }
    for (int i = 0; i < 2; ++i) {
      unpack(mine.b[i], mine.type, b[2 * t + 8 * i][g], b[2 * t + 8 * i + 1][g]);
    }
  }
  for (int lane = 0; lane < kWarpThreads; ++lane) {
    const auto& mine = *static_cast<const Multiplication*>(lanes[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + 8 * (i / 2);
      const int column = 2 * (lane % 4) + i % 2;
      for (int k = 0; k < 16; ++k) mine.d[i] += a[row][k] * b[k][column];
    }
  }
}

}  // namespace

void load_matrices(std::uint32_t (&registers)[4], Address row) {
  Thread& thread = self();
  Load mine = {row, {}};
  thread.warp->lanes.meet("ldmatrix", thread.lane, &mine, [&](const std::vector<void*>& lanes) {
    load_all(thread.block->shared, lanes);
  });
  std::copy(std::begin(mine.registers), std::end(mine.registers), std::begin(registers));
}

void multiply_add(float* d, const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                  HalfType type) {
  Thread& thread = self();
  Multiplication mine = {d, a, b, type};
  thread.warp->lanes.meet("mma.sync", thread.lane, &mine, multiply_all);
}

std::uint64_t bank_conflicts() { return conflicts; }

}  // namespace machine
