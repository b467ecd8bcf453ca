// What a sweep over memory is measured against.
#pragma once

#include <cstdint>

namespace rlvr {

// Sum of `count` words, read by every thread as fast as memory gives them.
std::uint64_t sum_words(const std::uint64_t* words, std::int64_t count);

}  // namespace rlvr
