// Well-formed UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace rlvr::answers {

bool is_valid_utf8(std::string_view bytes);
// Appends bytes to out, each ill-formed sequence replaced by U+FFFD (Unicode 15, 3.9, table 3-7).
void append_utf8(std::string_view bytes, std::string& out);

}  // namespace rlvr::answers
