#include "common/read_memory.hpp"

#include <algorithm>
#include <atomic>

#include "common/parallel.hpp"

namespace rlvr {
namespace {

constexpr std::int64_t kPiece = 1 << 17;  // words: 1 MiB

// Eight independent sums, so that no addition waits for another: then 16-byte vectors are faster
// than memory.
std::uint64_t sum_piece(const std::uint64_t* words, std::int64_t count) {
  std::uint64_t sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int k = 0; k < 8; ++k) sums[k] += words[i + k];
  }
  for (; i < count; ++i) sums[0] += words[i];
  std::uint64_t sum = 0;
  for (const std::uint64_t s : sums) sum += s;
  return sum;
}

}  // namespace

std::uint64_t sum_words(const std::uint64_t* words, std::int64_t count) {
  std::atomic<std::uint64_t> sum{0};
  parallel_for((count + kPiece - 1) / kPiece, [&](std::int64_t piece) {
    const std::int64_t start = piece * kPiece;
    sum += sum_piece(words + start, std::min(kPiece, count - start));
  });
  return sum;
}

}  // namespace rlvr
