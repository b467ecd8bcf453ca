#include "answers/find.hpp"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define RLVR_X86 1
#include <immintrin.h>
#endif

namespace rlvr::answers {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The last i < end where p[i] is a and p[i + 1] is b, or npos; p[end] can be read. Two bytes are
// compared at once: in mathematics and code a lone '<' is common, "<a" and "</" are not.
using FindPair = std::size_t (*)(const char* p, std::size_t end, char a, char b);

std::size_t rfind_pair_plain(const char* p, std::size_t end, char a, char b) {
  while (end > 0) {
    --end;
    if (p[end] == a && p[end + 1] == b) return end;
  }
  return kNone;
}

#if defined(RLVR_X86)

std::size_t rfind_pair_sse2(const char* p, std::size_t end, char a, char b) {
  const __m128i first = _mm_set1_epi8(a), second = _mm_set1_epi8(b);
  for (; end >= 16; end -= 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + end - 16));
    const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + end - 15));
    const auto mask = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(x, first), _mm_cmpeq_epi8(y, second))));
    if (mask != 0) return end - 16 + static_cast<std::size_t>(31 - __builtin_clz(mask));
  }
  return rfind_pair_plain(p, end, a, b);
}

// Prefetch distance in bytes: the hardware prefetches little for descending addresses.
constexpr std::size_t kAhead = 1024;

__attribute__((target("avx2"))) inline __m256i pairs_avx2(const char* p, __m256i first,
                                                          __m256i second) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 1));
  return _mm256_and_si256(_mm256_cmpeq_epi8(x, first), _mm256_cmpeq_epi8(y, second));
}

__attribute__((target("avx2"))) std::size_t rfind_pair_avx2(const char* p, std::size_t end, char a,
                                                            char b) {
  const __m256i first = _mm256_set1_epi8(a), second = _mm256_set1_epi8(b);
  // One branch for 128 bytes; the block with a pair is then searched in the loop below.
  for (; end >= 128; end -= 128) {
    const char* block = p + end - 128;
    if (end >= 128 + kAhead) {
      __builtin_prefetch(block - kAhead);
      __builtin_prefetch(block - kAhead + 64);
    }
    const __m256i low =
        _mm256_or_si256(pairs_avx2(block, first, second), pairs_avx2(block + 32, first, second));
    const __m256i high = _mm256_or_si256(pairs_avx2(block + 64, first, second),
                                         pairs_avx2(block + 96, first, second));
    const __m256i any = _mm256_or_si256(low, high);
    if (!_mm256_testz_si256(any, any)) break;
  }
  for (; end >= 32; end -= 32) {
    const auto mask =
        static_cast<unsigned>(_mm256_movemask_epi8(pairs_avx2(p + end - 32, first, second)));
    if (mask != 0) return end - 32 + static_cast<std::size_t>(31 - __builtin_clz(mask));
  }
  return rfind_pair_sse2(p, end, a, b);
}

#endif

FindPair choose() {
#if defined(RLVR_X86)
  return __builtin_cpu_supports("avx2") ? rfind_pair_avx2 : rfind_pair_sse2;
#else
  return rfind_pair_plain;
#endif
}

}  // namespace

std::size_t rfind_byte(std::string_view s, char c, std::size_t end) {
#if defined(__GLIBC__)  // its memrchr is vectorised for the machine at hand
  const void* at = end == 0 ? nullptr : memrchr(s.data(), c, end);
  return at == nullptr ? kNone : static_cast<std::size_t>(static_cast<const char*>(at) - s.data());
#else
  while (end > 0) {
    if (s[--end] == c) return end;
  }
  return kNone;
#endif
}

std::size_t rfind_word(std::string_view s, std::string_view word) {
  static const FindPair find_pair = choose();
  if (s.size() < word.size()) return kNone;
  std::size_t end = s.size() - word.size() + 1;
  for (;;) {
    end = find_pair(s.data(), end, word[0], word[1]);
    if (end == kNone || s.compare(end, word.size(), word) == 0) return end;
  }
}

}  // namespace rlvr::answers
