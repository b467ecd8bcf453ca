// A 128-bit hash of bytes. Not cryptographic: equal hashes are always confirmed by comparing bytes.
//
// Definition (all words little-endian, arithmetic modulo 2^64, mul = the 128-bit product):
//   h = seed ^ k0, g = length ^ k1
//   for each 16 bytes (a, b), the last block padded with zeros:
//     x = a ^ h, y = b ^ g ^ k2;  (lo, hi) = mul(x, y);  h = (x ^ lo) + k3, g = rotl(y ^ hi, 29)
//   to finish, as MurmurHash3 does (https://github.com/aappleby/smhasher):
//     h += g, g += h;  h = mix(h), g = mix(g);  h += g, g += h
//     mix(x): x ^= x >> 33, x *= 0xFF51AFD7ED558CCD, x ^= x >> 33, x *= 0xC4CEB9FE1A85EC53,
//     x ^= x >> 33
// The factors are folded back with xor so that a zero factor loses no input, as wyhash's guarded
// mode does (https://github.com/wangyi-fudan/wyhash). Tests hold golden vectors and a Python
// reference.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rlvr::answers {

struct Hash128 {
  std::uint64_t lo = 0;
  std::uint64_t hi = 0;
  bool operator==(const Hash128&) const = default;
};

namespace hash_detail {

inline constexpr std::uint64_t kK0 = 0x9E3779B97F4A7C15ULL;  // 2^64 / golden ratio
inline constexpr std::uint64_t kK1 = 0xBF58476D1CE4E5B9ULL;  // splitmix64's multipliers
inline constexpr std::uint64_t kK2 = 0x94D049BB133111EBULL;
inline constexpr std::uint64_t kK3 = 0xD6E8FEB86659FD93ULL;

inline std::uint64_t finish(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDULL;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53ULL;
  return x ^ (x >> 33);
}

inline std::uint64_t little(std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) return __builtin_bswap64(value);
  return value;
}

inline std::uint64_t load(const char* p) {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return little(value);
}

// Up to 8 bytes, padded with zeros.
inline std::uint64_t load_part(const char* p, std::size_t n) {
  if (n >= 8) return load(p);
  if (n >= 4) {
    std::uint32_t low, high;
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
    if constexpr (std::endian::native == std::endian::big) {
      low = __builtin_bswap32(low), high = __builtin_bswap32(high);
    }
    return low | static_cast<std::uint64_t>(high) << (8 * (n - 4));
  }
  if (n == 0) return 0;
  std::uint64_t value = static_cast<unsigned char>(p[0]);
  if (n > 1) value |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[1])) << 8;
  if (n > 2) value |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[2])) << 16;
  return value;
}

}  // namespace hash_detail

inline Hash128 hash128(std::string_view bytes, std::uint64_t seed = 0) {
  using namespace hash_detail;
  std::uint64_t h = seed ^ kK0, g = static_cast<std::uint64_t>(bytes.size()) ^ kK1;
  const char* p = bytes.data();
  for (std::size_t n = bytes.size(); n > 0;) {
    const std::uint64_t a = load_part(p, n);
    const std::uint64_t b = n > 8 ? load_part(p + 8, n - 8) : 0;
    const std::uint64_t x = a ^ h, y = b ^ g ^ kK2;
    const unsigned __int128 product = static_cast<unsigned __int128>(x) * y;
    h = (x ^ static_cast<std::uint64_t>(product)) + kK3;
    g = std::rotl(y ^ static_cast<std::uint64_t>(product >> 64), 29);
    if (n <= 16) break;
    p += 16, n -= 16;
  }
  h += g, g += h;
  h = finish(h), g = finish(g);
  h += g, g += h;
  return {h, g};
}

}  // namespace rlvr::answers
