// The tensor copy engine, which copies boxes of matrices to shared memory. PTX ISA,
// "cp.async.bulk.tensor", and the CUDA driver API, cuTensorMapEncodeTiled.
//
// A box arrives in pieces, separately for each block, at times that the schedule chooses. From the
// issue of the copy on, the destination holds undefined values (nan). The engine supports only the
// cases that the kernels use: two dimensions, elements of two bytes, zeros outside the matrix, no
// swizzle or a swizzle of 128 bytes.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/shared_memory.hpp"
#include "machine/wait.hpp"

namespace machine {

// The contents of an encoded tensor map.
struct TensorMap {
  std::uint64_t seal;
  const std::byte* data;
  std::uint64_t columns;
  std::uint64_t rows;
  std::uint64_t row_bytes;  // from one row to the next
  std::uint32_t box_columns;
  std::uint32_t box_rows;
  bool swizzled;

  static TensorMap decode(const CUtensorMap& map);
  std::size_t box_row_bytes() const { return std::size_t{box_columns} * 2; }
};

class CopyEngine {
 public:
  explicit CopyEngine(Cluster& cluster) : cluster_(cluster) {}

  // Copies to the block that `destination` belongs to.
  void copy(const CUtensorMap& map, Address barrier, Address destination, int column, int row);
  // Copies to the same offsets in each block of `mask`.
  void copy(const CUtensorMap& map, Address barrier, Address destination, int column, int row,
            std::uint16_t mask);

  std::size_t pending() const { return pieces_.size(); }
  void land(std::size_t piece);
  void check_idle(const Block& block) const;

 private:
  struct Piece {
    TensorMap map;
    Block* block;
    Address barrier;
    Address destination;  // of the first row
    std::int64_t column;
    std::int64_t row;  // first
    std::int64_t rows;

    std::size_t bytes() const { return static_cast<std::size_t>(rows) * map.box_row_bytes(); }
  };

  Cluster& cluster_;
  std::vector<Piece> pieces_;
};

}  // namespace machine
