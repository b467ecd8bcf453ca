#include "answers/utf8.hpp"

#include <cstdint>
#include <cstring>

#include "answers/hash.hpp"

namespace rlvr::answers {
namespace {

// The length of the well-formed sequence at s[i], or 0; bad is then how many bytes to replace.
std::size_t utf8_sequence(std::string_view s, std::size_t i, std::size_t& bad) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
  const unsigned char lead = byte(i);
  bad = 1;
  if (lead < 0x80) return 1;
  std::size_t length;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (std::size_t k = 1; k < length; ++k) {
    if (i + k >= s.size() || byte(i + k) < low || byte(i + k) > high) {
      bad = k;
      return 0;
    }
    low = 0x80, high = 0xBF;
  }
  return length;
}

constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

std::size_t ascii_prefix(std::string_view s, std::size_t i) {
  while (i + 8 <= s.size()) {
    std::uint64_t word;
    std::memcpy(&word, s.data() + i, 8);
    if ((word & kHighBits) != 0) return i;
    i += 8;
  }
  const bool rest = (hash_detail::load_part(s.data() + i, s.size() - i) & kHighBits) == 0;
  return rest ? s.size() : i;
}

}  // namespace

bool is_valid_utf8(std::string_view s) {
  std::size_t bad;
  for (std::size_t i = 0;;) {
    i = ascii_prefix(s, i);
    if (i >= s.size()) return true;
    const std::size_t length = utf8_sequence(s, i, bad);
    if (length == 0) return false;
    i += length;
  }
}

void append_utf8(std::string_view s, std::string& out) {
  if (is_valid_utf8(s)) {
    out.append(s);
    return;
  }
  std::size_t bad;
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t length = utf8_sequence(s, i, bad);
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
      i += bad;
    } else {
      out.append(s.substr(i, length));
      i += length;
    }
  }
}

}  // namespace rlvr::answers
