#include "answers/find.hpp"

#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define RLVR_X86 1
#include <immintrin.h>
#endif

namespace rlvr::answers {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Goes on from block to block of 64 bytes until one has a candidate or is not whole: the byte
// behind each block is read too. Two bytes are compared at once: in mathematics and code a lone '<'
// is common, "<a" and "</" are not.
using FindBlock = std::uint64_t (*)(const char* p, std::size_t& block, std::size_t size);

bool is_candidate(char c, char next) {
  if (c == ':') return true;
  if (c == '<') return static_cast<unsigned char>(next) >= '/';
  if (c == '[') return next == '/' || next == 'I' || next == 'T';
  if (c == '\xE2') return next == '\x97';
  return c == '\n' && (next == '#' || next == '*' || next == 'P' || next == 'Q' || next == 'u' ||
                       next == '\xE9');
}

std::uint64_t last_block(const char* p, std::size_t block, std::size_t size) {
  std::uint64_t mask = 0;
  for (std::size_t i = block; i < size && i < block + 64; ++i) {
    if (is_candidate(p[i], i + 1 < size ? p[i + 1] : '\0')) mask |= std::uint64_t{1} << (i - block);
  }
  return mask;
}

#if defined(RLVR_X86)

inline std::uint64_t mask_sse2(const char* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i y = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 1));
  const __m128i tag = _mm_and_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('<')),
                                    _mm_cmpeq_epi8(_mm_max_epu8(y, _mm_set1_epi8('/')), y));
  const __m128i even = _mm_and_si128(y, _mm_set1_epi8(~1));  // 'P' of 'P' and 'Q'
  const __m128i sign = _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(y, _mm_set1_epi8('#')), _mm_cmpeq_epi8(y, _mm_set1_epi8('*'))),
      _mm_or_si128(_mm_cmpeq_epi8(y, _mm_set1_epi8('u')),
                   _mm_cmpeq_epi8(y, _mm_set1_epi8('\xE9'))));
  const __m128i heading =
      _mm_and_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')),
                    _mm_or_si128(sign, _mm_cmpeq_epi8(even, _mm_set1_epi8('P'))));
  const __m128i bracket =
      _mm_and_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('[')),
                    _mm_or_si128(_mm_cmpeq_epi8(y, _mm_set1_epi8('/')),
                                 _mm_or_si128(_mm_cmpeq_epi8(y, _mm_set1_epi8('I')),
                                              _mm_cmpeq_epi8(y, _mm_set1_epi8('T')))));
  const __m128i triangle = _mm_and_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\xE2')),
                                         _mm_cmpeq_epi8(y, _mm_set1_epi8('\x97')));
  const __m128i other = _mm_or_si128(bracket, triangle);
  const __m128i colon = _mm_cmpeq_epi8(x, _mm_set1_epi8(':'));
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(tag, heading), _mm_or_si128(colon, other))));
}

std::uint64_t find_sse2(const char* p, std::size_t& block, std::size_t size) {
  for (; block + 64 < size; block += 64) {
    const char* at = p + block;
    const std::uint64_t mask = mask_sse2(at) | mask_sse2(at + 16) << 16 | mask_sse2(at + 32) << 32 |
                               mask_sse2(at + 48) << 48;
    if (mask != 0) return mask;
  }
  return block < size ? last_block(p, block, size) : 0;
}

// Prefetch distance in bytes. Texts lie side by side, so that it reaches into the next one; the
// hardware begins anew on each page.
constexpr std::size_t kAhead = 2048;

// Each pair of a byte and the byte behind it that `is_candidate` names is a bit. Two bytes have the
// bit of a pair where both halves of both say so. A bit of several bytes holds for every
// combination of their halves, so that a few other pairs are candidates too: "\ny" beside "\nu".
struct Halves {
  std::uint8_t low[16] = {}, high[16] = {};
  constexpr void add(std::uint8_t bit, std::string_view bytes) {
    for (const char c : bytes) {
      low[static_cast<unsigned char>(c) & 15] |= bit;
      high[static_cast<unsigned char>(c) >> 4] |= bit;
    }
  }
  constexpr void add_all(std::uint8_t bit, unsigned least_high) {
    for (unsigned half = 0; half < 16; ++half) {
      low[half] |= bit;
      if (half >= least_high) high[half] |= bit;
    }
  }
};

constexpr Halves first_halves() {
  Halves at;
  at.add(1 | 2, "<");
  at.add(4 | 8 | 16, "\n");
  at.add(32, ":");
  at.add(64, "[");
  at.add(128, "\xE2");
  return at;
}

constexpr Halves second_halves() {
  Halves at;
  at.add_all(1, 3);
  at.add(2, "/");
  at.add(4, "#*");
  at.add(8, "PQ");
  at.add(16, "u\xE9");
  at.add_all(32, 0);
  at.add(64, "/IT");
  at.add(128, "\x97");
  return at;
}

constexpr Halves kFirst = first_halves(), kSecond = second_halves();

__attribute__((target("avx2"))) inline __m256i table_avx2(const std::uint8_t* bytes) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}

__attribute__((target("avx2"))) inline __m256i halves_avx2(const char* p, const Halves& of) {
  const __m256i half = _mm256_set1_epi8(15);
  const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i low = _mm256_shuffle_epi8(table_avx2(of.low), _mm256_and_si256(x, half));
  const __m256i above = _mm256_and_si256(_mm256_srli_epi16(x, 4), half);
  return _mm256_and_si256(low, _mm256_shuffle_epi8(table_avx2(of.high), above));
}

// Not 0 at each candidate.
__attribute__((target("avx2"))) inline __m256i candidates_avx2(const char* p) {
  return _mm256_and_si256(halves_avx2(p, kFirst), halves_avx2(p + 1, kSecond));
}

__attribute__((target("avx2"))) inline std::uint64_t bits_avx2(__m256i found) {
  const __m256i none = _mm256_cmpeq_epi8(found, _mm256_setzero_si256());
  return ~static_cast<unsigned>(_mm256_movemask_epi8(none));
}

__attribute__((target("avx2"))) std::uint64_t find_avx2(const char* p, std::size_t& block,
                                                        std::size_t size) {
  for (; block + 64 < size; block += 64) {
    __builtin_prefetch(p + block + kAhead);
    const __m256i low = candidates_avx2(p + block), high = candidates_avx2(p + block + 32);
    const __m256i any = _mm256_or_si256(low, high);
    if (_mm256_testz_si256(any, any)) continue;
    return bits_avx2(low) | bits_avx2(high) << 32;
  }
  if (block >= size) return 0;
  if (size < 65) return last_block(p, block, size);
  // The last block: the 64 bytes before the last byte, less what the blocks before it hold.
  const char* at = p + size - 65;
  const std::uint64_t mask = bits_avx2(candidates_avx2(at)) | bits_avx2(candidates_avx2(at + 32))
                                                                  << 32;
  const std::size_t known = block - (size - 65);  // 1 to 64
  const std::uint64_t rest = known == 64 ? 0 : mask >> known;
  return rest | static_cast<std::uint64_t>(p[size - 1] == ':') << (size - 1 - block);
}

#else

std::uint64_t find_plain(const char* p, std::size_t& block, std::size_t size) {
  for (; block + 64 < size; block += 64) {
    const std::uint64_t mask = last_block(p, block, size);
    if (mask != 0) return mask;
  }
  return block < size ? last_block(p, block, size) : 0;
}

#endif

FindBlock choose() {
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

Candidates::Candidates(std::string_view text) : text_(text) { refill(0); }

void Candidates::refill(std::size_t block) {
  static const FindBlock find = choose();
  block_ = block;
  mask_ = find(text_.data(), block_, text_.size());
}

}  // namespace rlvr::answers
