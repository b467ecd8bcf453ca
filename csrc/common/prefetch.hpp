// Loads a cache line before it is needed. The address may lie past the end of its array: a prefetch
// of memory that does not exist does nothing.
#pragma once

#include <cstdint>

namespace rlvr {

inline void prefetch_read(const void* pointer, std::uintptr_t bytes_ahead = 0) {
  __builtin_prefetch(
      reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(pointer) + bytes_ahead));
}

inline void prefetch_write(const void* pointer, std::uintptr_t bytes_ahead = 0) {
  __builtin_prefetch(
      reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(pointer) + bytes_ahead), 1);
}

}  // namespace rlvr
