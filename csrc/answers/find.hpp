// Searches from the end of a text, at the speed of memory.
#pragma once

#include <cstddef>
#include <string_view>

namespace rlvr::answers {

// The last position of c before end, or npos.
std::size_t rfind_byte(std::string_view s, char c, std::size_t end);

// The last occurrence of word (two bytes or more), or npos.
std::size_t rfind_word(std::string_view s, std::string_view word);

}  // namespace rlvr::answers
