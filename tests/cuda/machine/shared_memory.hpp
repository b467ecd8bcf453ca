// Shared memory of a block: where it lies, and who is about to read or write it.
//
// Addresses are those of the shared::cluster window (PTX ISA, "Shared State Space"): the block's
// rank in the bits from 24 on, and below them the place in its own shared memory. Host pointers are
// congruent to them modulo 256 KiB, as generic pointers are on a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace machine {

using Address = std::uint32_t;

inline constexpr int kRankShift = 24;
inline constexpr int kMostBlocks = 8;                   // of a cluster
inline constexpr std::size_t kMostShared = 227 * 1024;  // that a block of sm_90 may ask for

Address shared_address(const void* pointer);

class SharedMemory {
 public:
  // `first` is where dynamic shared memory begins: a kernel may rely on 16 bytes of alignment only.
  SharedMemory(int rank, std::size_t bytes, std::uint32_t first);

  std::byte* dynamic() const;
  // Bytes that must lie in what the launch asked for.
  std::byte* at(Address address, std::size_t bytes, const char* what) const;

  // Between begin and end anything may lie in what is written, so that it is filled with nan; who
  // reads it, and who writes what is being read, is at fault. In units of 16 bytes.
  void begin_write(Address address, std::size_t bytes, const char* what);
  void end_write(Address address, std::size_t bytes);
  void begin_read(Address address, std::size_t bytes, const char* what);
  void end_read(Address address, std::size_t bytes);
  void check_read(Address address, std::size_t bytes, const char* what) const;

  // Nothing was written around what the launch asked for.
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
