// Searches in a text, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rlvr::answers {

// The last position of c before end, or npos.
std::size_t rfind_byte(std::string_view s, char c, std::size_t end);

// The positions, in order, where a mark that shapes the whole text may stand: '<' before '/', a
// letter or the like; '[' before '/', 'I' or 'T'; a white triangle; ':'; a line break before '#',
// '*', 'P', 'Q', 'u' or the first byte of many Chinese characters. A few others are among them.
class Candidates {
 public:
  explicit Candidates(std::string_view text);
  // The first position of at least `begin`, or npos. `begin` must not decrease from call to call.
  std::size_t next(std::size_t begin) {
    for (;;) {
      // Bits of positions before begin are of no interest.
      if (begin > block_) mask_ &= begin - block_ < 64 ? ~std::uint64_t{0} << (begin - block_) : 0;
      if (mask_ != 0) return block_ + static_cast<std::size_t>(__builtin_ctzll(mask_));
      if (block_ + 64 >= text_.size()) return std::string_view::npos;
      refill(begin > block_ + 64 ? begin & ~std::size_t{63} : block_ + 64);
    }
  }

 private:
  void refill(std::size_t block);
  std::string_view text_;
  std::size_t block_ = 0;
  std::uint64_t mask_ = 0;  // of the candidates in text[block_ .. block_ + 64)
};

}  // namespace rlvr::answers
