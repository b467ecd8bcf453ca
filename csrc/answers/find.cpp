#include "answers/find.hpp"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define RLVR_X86 1
#include <immintrin.h>
#endif

namespace rlvr::answers {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The first candidate of [begin, end), or npos; p[end] can be read. Two bytes are compared at once:
// in mathematics and code a lone '<' is common, "<a" and "</" are not.
using FindCandidate = std::size_t (*)(const char* p, std::size_t begin, std::size_t end);

std::size_t find_plain(const char* p, std::size_t begin, std::size_t end) {
  for (; begin < end; ++begin) {
    const char c = p[begin];
    if (c == ':') return begin;
    if (c == '<' && static_cast<unsigned char>(p[begin + 1]) >= '/') return begin;
    if (c == '\n' && (p[begin + 1] == '#' || p[begin + 1] == '*')) return begin;
  }
  return kNone;
}

#if defined(RLVR_X86)

std::size_t find_sse2(const char* p, std::size_t begin, std::size_t end) {
  const __m128i open = _mm_set1_epi8('<'), slash = _mm_set1_epi8('/'), colon = _mm_set1_epi8(':');
  const __m128i line = _mm_set1_epi8('\n'), hash = _mm_set1_epi8('#'), star = _mm_set1_epi8('*');
  for (; begin + 16 <= end; begin += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + begin));
    const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + begin + 1));
    const __m128i tag =
        _mm_and_si128(_mm_cmpeq_epi8(x, open), _mm_cmpeq_epi8(_mm_max_epu8(y, slash), y));
    const __m128i heading = _mm_and_si128(
        _mm_cmpeq_epi8(x, line), _mm_or_si128(_mm_cmpeq_epi8(y, hash), _mm_cmpeq_epi8(y, star)));
    const auto mask = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(tag, heading), _mm_cmpeq_epi8(x, colon))));
    if (mask != 0) return begin + static_cast<std::size_t>(__builtin_ctz(mask));
  }
  return find_plain(p, begin, end);
}

__attribute__((target("avx2"))) inline __m256i candidates_avx2(const char* p) {
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 1));
  const __m256i slash = _mm256_set1_epi8('/');
  const __m256i tag = _mm256_and_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('<')),
                                       _mm256_cmpeq_epi8(_mm256_max_epu8(y, slash), y));
  const __m256i heading =
      _mm256_and_si256(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('\n')),
                       _mm256_or_si256(_mm256_cmpeq_epi8(y, _mm256_set1_epi8('#')),
                                       _mm256_cmpeq_epi8(y, _mm256_set1_epi8('*'))));
  return _mm256_or_si256(_mm256_or_si256(tag, heading),
                         _mm256_cmpeq_epi8(x, _mm256_set1_epi8(':')));
}

__attribute__((target("avx2"))) std::size_t find_avx2(const char* p, std::size_t begin,
                                                      std::size_t end) {
  // One branch for 64 bytes; the block with a candidate is then searched in the loop below.
  for (; begin + 64 <= end; begin += 64) {
    const __m256i any =
        _mm256_or_si256(candidates_avx2(p + begin), candidates_avx2(p + begin + 32));
    if (!_mm256_testz_si256(any, any)) break;
  }
  for (; begin + 32 <= end; begin += 32) {
    const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(candidates_avx2(p + begin)));
    if (mask != 0) return begin + static_cast<std::size_t>(__builtin_ctz(mask));
  }
  return find_sse2(p, begin, end);
}

#endif

FindCandidate choose() {
#if defined(RLVR_X86)
  return __builtin_cpu_supports("avx2") ? find_avx2 : find_sse2;
#else
  return find_plain;
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

std::size_t find_candidate(std::string_view s, std::size_t begin) {
  static const FindCandidate find = choose();
  if (begin >= s.size()) return kNone;
  const std::size_t at = find(s.data(), begin, s.size() - 1);
  if (at == kNone && s.back() == ':') return s.size() - 1;  // the only candidate of one byte
  return at;
}

}  // namespace rlvr::answers
