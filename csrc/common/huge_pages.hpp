// Large uninitialised arrays. Where the system offers huge pages on request, a large array takes
// them: a fault for 2 MiB in place of 512 faults.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace rlvr {

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
template <typename T>
using LargeArray = std::unique_ptr<T[], FreeMemory>;

template <typename T>
LargeArray<T> large_array(std::size_t size) {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  constexpr std::size_t kPage = 2 << 20;
  const bool large = size * sizeof(T) >= 2 * kPage;
  const std::size_t align = large ? kPage : alignof(std::max_align_t);
  const std::size_t bytes = (size * sizeof(T) + align - 1) / align * align;
  void* memory = std::aligned_alloc(align, bytes);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (large) madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: what it returns changes nothing
#endif
  return LargeArray<T>(static_cast<T*>(memory));
}

}  // namespace rlvr
