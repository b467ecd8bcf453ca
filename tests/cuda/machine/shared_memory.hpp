// The shared memory of a block: its addresses, and the pending reads and writes.
//
// Addresses are those of the shared::cluster window (PTX ISA, "Shared State Space"): the block's
// rank in the bits from 24 on, and below them the offset in the block's shared memory. Host
// pointers are congruent to them modulo 256 KiB, as generic pointers are on a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace machine {

using Address = std::uint32_t;

inline constexpr int kRankShift = 24;
inline constexpr int kMostBlocks = 8;                   // the most blocks of a cluster
inline constexpr std::size_t kMostShared = 227 * 1024;  // the limit of a block on sm_90

Address shared_address(const void* pointer);

class SharedMemory {
 public:
  // `first`: the offset of dynamic shared memory. A kernel may rely on an alignment of 16 bytes
  // only.
  SharedMemory(int rank, std::size_t bytes, std::uint32_t first);

  std::byte* dynamic() const;
  // A pointer to bytes that must lie in the shared memory of the launch.
  std::byte* at(Address address, std::size_t bytes, const char* what) const;

  // Between begin_write and end_write the destination is undefined and filled with nan; a read of
  // it is a fault. Between begin_read and end_read a write to the source is a fault. Both are
  // tracked in units of 16 bytes.
  void begin_write(Address address, std::size_t bytes, const char* what);
  void end_write(Address address, std::size_t bytes);
  void begin_read(Address address, std::size_t bytes, const char* what);
  void end_read(Address address, std::size_t bytes);
  void check_read(Address address, std::size_t bytes, const char* what) const;

  // Throws a fault where a kernel has written outside the shared memory of the launch.
  void check_edges() const;

 private:
  void check_free(const std::vector<std::uint16_t>& users, Address address, std::size_t bytes,
                  const char* what, const char* conflict) const;

  std::byte* window_;
  std::size_t bytes_;
  std::uint32_t first_;
  std::vector<std::uint16_t> writers_;
  std::vector<std::uint16_t> readers_;
};

}  // namespace machine
