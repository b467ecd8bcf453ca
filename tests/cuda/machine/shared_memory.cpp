#include "machine/shared_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "machine/fault.hpp"

namespace machine {

namespace {

constexpr std::size_t kWindow = std::size_t{1} << kRankShift;
constexpr std::size_t kEdge = 64;
constexpr int kUnset = 0xff;  // a nan in bfloat16, float16 and float32
constexpr std::size_t kUnit = 16;
constexpr Address kPlace = (Address{1} << kRankShift) - 1;

std::byte* windows() {
  static std::byte* const base = [] {
    void* memory = mmap(nullptr, (kMostBlocks + 1) * kWindow, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return reinterpret_cast<std::byte*>((address + kWindow - 1) / kWindow * kWindow);
  }();
  return base;
}

}  // namespace

std::string hex(unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", value);
  return text;
}

Address shared_address(const void* pointer) {
  const auto offset = static_cast<const std::byte*>(pointer) - windows();
  if (offset < 0 || offset >= static_cast<std::ptrdiff_t>(kMostBlocks * kWindow)) {
    fault("a pointer that is not to shared memory is used as a shared address");
  }
  return static_cast<Address>(offset);
}

SharedMemory::SharedMemory(int rank, std::size_t bytes, std::uint32_t first)
    : window_(windows() + static_cast<std::size_t>(rank) * kWindow),
      bytes_(bytes),
      first_(first),
      writers_((first + bytes) / kUnit + 1),
      readers_((first + bytes) / kUnit + 1) {
  std::memset(window_ + first_ - kEdge, kUnset, bytes_ + 2 * kEdge);
}

std::byte* SharedMemory::dynamic() const { return window_ + first_; }

std::byte* SharedMemory::at(Address address, std::size_t bytes, const char* what) const {
  const Address place = address & kPlace;
  if (place < first_ || place + bytes > first_ + bytes_) {
    fault(std::string(what) + " at " + hex(address) + " lies outside the block's shared memory");
  }
  return window_ + place;
}

void SharedMemory::check_free(const std::vector<std::uint16_t>& users, Address address,
                              std::size_t bytes, const char* what, const char* conflict) const {
  at(address, bytes, what);
  const auto first = users.begin() + (address & kPlace) / kUnit;
  if (std::any_of(first, first + (bytes + kUnit - 1) / kUnit, [](auto n) { return n != 0; })) {
    fault(std::string(what) + " at " + hex(address) + " (" + std::to_string(bytes) + " bytes) " +
          conflict);
  }
}

namespace {

void add(std::vector<std::uint16_t>& users, Address address, std::size_t bytes, int change) {
  const std::size_t first = (address & kPlace) / kUnit;
  const std::size_t end = first + (bytes + kUnit - 1) / kUnit;
  for (std::size_t unit = first; unit < end; ++unit) {
    users[unit] = static_cast<std::uint16_t>(users[unit] + change);
  }
}

}  // namespace

void SharedMemory::begin_write(Address address, std::size_t bytes, const char* what) {
  check_free(readers_, address, bytes, what,
             "overwrites an operand of a product that has not been waited for");
  check_free(writers_, address, bytes, what, "overwrites the destination of a pending copy");
  add(writers_, address, bytes, 1);
  std::memset(window_ + (address & kPlace), kUnset, bytes);
}

void SharedMemory::end_write(Address address, std::size_t bytes) {
  add(writers_, address, bytes, -1);
}

void SharedMemory::begin_read(Address address, std::size_t bytes, const char* what) {
  check_read(address, bytes, what);
  add(readers_, address, bytes, 1);
}

void SharedMemory::end_read(Address address, std::size_t bytes) {
  add(readers_, address, bytes, -1);
}

void SharedMemory::check_read(Address address, std::size_t bytes, const char* what) const {
  check_free(writers_, address, bytes, what, "reads the destination of a pending copy");
}

void SharedMemory::check_edges() const {
  const auto is_unset = [](std::byte b) { return b == std::byte{kUnset}; };
  const std::byte* before = window_ + first_ - kEdge;
  const std::byte* after = window_ + first_ + bytes_;
  if (!std::all_of(before, before + kEdge, is_unset) ||
      !std::all_of(after, after + kEdge, is_unset)) {
    fault("the kernel wrote outside the shared memory of the launch");
  }
}

}  // namespace machine
