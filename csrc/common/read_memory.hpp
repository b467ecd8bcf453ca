// Reads memory at full bandwidth, as the limit that benchmarks compare a sweep with.
#pragma once

#include <cstdint>

namespace rlvr {

// The sum of `count` words, read by all threads of the pool.
std::uint64_t sum_words(const std::uint64_t* words, std::int64_t count);

}  // namespace rlvr
