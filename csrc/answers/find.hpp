// Searches in a text, at the speed of memory.
#pragma once

#include <cstddef>
#include <string_view>

namespace rlvr::answers {

// The last position of c before end, or npos.
std::size_t rfind_byte(std::string_view s, char c, std::size_t end);

// The first position of [begin, s.size()) where a mark that shapes the whole text may stand, or
// npos: '<' before '/', a letter or the like; ':'; a line break before '#' or '*'.
std::size_t find_candidate(std::string_view s, std::size_t begin);

}  // namespace rlvr::answers
