#include "answers/extract.hpp"

#include <algorithm>
#include <cstring>

#include "answers/find.hpp"
#include "common/error.hpp"

namespace rlvr::answers {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

Extraction finish(std::string_view answer, std::size_t max_bytes) {
  answer = trim(answer);
  if (answer.empty() || answer.size() > max_bytes) return {{}, Status::kMalformed};
  return {answer, Status::kFound};
}

Extraction answer_tag(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kOpen = "<answer>", kClose = "</answer>";
  const std::size_t open = rfind_word(text, kOpen);
  if (open == kNone) return {};
  const std::size_t begin = open + kOpen.size();
  const std::size_t close = text.find(kClose, begin);
  if (close == kNone) return {{}, Status::kUnfinished};
  return finish(text.substr(begin, close - begin), max_bytes);
}

// The position after the brace that closes the brace before begin, or kNone.
std::size_t closing_brace(std::string_view text, std::size_t begin, std::size_t stop) {
  std::size_t depth = 1;
  for (std::size_t i = begin; i < stop; ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;  // \{ and \} are signs, not braces
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i;
    }
  }
  return kNone;
}

Extraction boxed(std::string_view text, std::size_t max_bytes) {
  std::size_t end = text.size();
  for (;;) {
    const std::size_t at = rfind_byte(text, '\\', end);
    if (at == kNone) return {};
    end = at;
    std::size_t after = at + 1;
    if (text.compare(after, 5, "boxed") == 0) {
      after += 5;
    } else if (text.compare(after, 4, "fbox") == 0) {
      after += 4;
    } else {
      continue;
    }
    if (after < text.size() && is_letter(text[after])) continue;  // another command, \boxedminipage
    while (after < text.size() && is_space(text[after])) ++after;
    if (after == text.size()) return {{}, Status::kUnfinished};
    if (text[after] != '{') return {{}, Status::kMalformed};
    const std::size_t begin = after + 1;
    // The limit applies to the answer without the blanks around it; the number of those blanks has
    // the same limit.
    const std::size_t stop = std::min(text.size(), begin + 2 * max_bytes + 2);
    const std::size_t close = closing_brace(text, begin, stop);
    if (close == kNone) {
      return {{}, stop == text.size() ? Status::kUnfinished : Status::kMalformed};
    }
    return finish(text.substr(begin, close - begin), max_bytes);
  }
}

Extraction after_think(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const std::size_t close = rfind_word(text, kClose);
  if (close == kNone) {
    const bool thinking = rfind_word(text, kOpen) != kNone;
    return {{}, thinking ? Status::kUnfinished : Status::kMissing};
  }
  const std::string_view rest = trim(text.substr(close + kClose.size()));
  if (rest.empty()) return {{}, Status::kMissing};
  return finish(rest, max_bytes);
}

// Case-blind search for an all-lower-case word, from the end of a line.
std::size_t rfind_nocase(std::string_view line, std::string_view word) {
  if (line.size() < word.size()) return kNone;
  for (std::size_t at = line.size() - word.size() + 1; at-- > 0;) {
    if (lower(line[at]) != word[0]) continue;
    std::size_t k = 1;
    while (k < word.size() && lower(line[at + k]) == word[k]) ++k;
    if (k == word.size()) return at;
  }
  return kNone;
}

// Where the answer of a line begins, or kNone: after "####", "answer:", "answer is" (Markdown stars
// and colons in between are skipped).
std::size_t answer_in_line(std::string_view line) {
  const std::size_t hashes = line.rfind("####");
  if (hashes != kNone) return hashes + 4;
  std::size_t end = line.size();
  for (;;) {
    const std::size_t at = rfind_nocase(line.substr(0, end), "answer");
    if (at == kNone) return kNone;
    std::size_t i = at + 6;
    const auto skip = [&] {
      while (i < line.size() && (line[i] == '*' || is_space(line[i]))) ++i;
    };
    skip();
    if (i < line.size() && line[i] == ':') {
      ++i;
      skip();
      return i;
    }
    if (i + 2 <= line.size() && lower(line[i]) == 'i' && lower(line[i + 1]) == 's' &&
        (i + 2 == line.size() || !is_letter(line[i + 2]))) {
      i += 2;
      skip();
      if (i < line.size() && line[i] == ':') ++i;
      skip();
      return i;
    }
    end = at;
  }
}

std::string_view strip_line(std::string_view answer) {
  answer = trim(answer);
  while (answer.size() >= 2 && answer.substr(answer.size() - 2) == "**") {
    answer.remove_suffix(2);
    answer = trim(answer);
  }
  if (!answer.empty() && answer.back() == '.') answer.remove_suffix(1);
  while (answer.size() >= 2 && answer.substr(answer.size() - 2) == "**") answer.remove_suffix(2);
  return trim(answer);
}

Extraction final_line(std::string_view text, std::size_t max_bytes) {
  std::string_view
      below;  // the nearest line below that is not blank: a line may hold "Answer:" alone
  std::size_t end = text.size();
  for (;;) {
    const std::size_t newline = rfind_byte(text, '\n', end);
    const std::size_t begin = newline == kNone ? 0 : newline + 1;
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t at = answer_in_line(line);
    if (at != kNone) {
      std::string_view answer = strip_line(line.substr(at));
      if (answer.empty()) answer = strip_line(below);
      if (answer.empty()) return {{}, Status::kUnfinished};
      return finish(answer, max_bytes);
    }
    if (!trim(line).empty()) below = line;
    if (newline == kNone) return {};
    end = newline;
  }
}

Extraction last_number(std::string_view text, std::size_t max_bytes) {
  std::size_t end = text.size();
  while (end > 0 && !is_digit(text[end - 1])) --end;
  if (end == 0) return {};
  // Back over digits, separators with digits on both sides, an exponent, a fraction and a sign.
  std::size_t begin = end - 1;
  const auto digit_before = [&](std::size_t i) { return i > 0 && is_digit(text[i - 1]); };
  while (begin > 0) {
    const char c = text[begin - 1];
    if (is_digit(c)) {
      --begin;
    } else if ((c == ',' || c == '.' || c == '/') && digit_before(begin - 1)) {
      --begin;
    } else if ((c == 'e' || c == 'E') && digit_before(begin - 1)) {
      --begin;
    } else if ((c == '-' || c == '+') && begin >= 3 &&
               (text[begin - 2] == 'e' || text[begin - 2] == 'E') && is_digit(text[begin - 3])) {
      --begin;
    } else if (c == '.' && !digit_before(begin - 1)) {
      --begin;
      break;
    } else {
      break;
    }
    if (end - begin > max_bytes) return {{}, Status::kMalformed};
  }
  // A minus is a sign unless it stands between two operands: "10-3" ends in 3.
  if (begin > 0 && text[begin - 1] == '-') {
    std::size_t before = begin - 1;
    while (before > 0 && text[before - 1] == ' ') --before;
    const char left = before == 0 ? '\n' : text[before - 1];
    if (!is_digit(left) && !is_letter(left) && left != ')' && left != '}') --begin;
  }
  return finish(text.substr(begin, end - begin), max_bytes);
}

Extraction code_block(std::string_view text, std::size_t max_bytes) {
  bool inside = false;
  Extraction last;
  std::size_t block = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const void* at = std::memchr(text.data() + begin, '\n', text.size() - begin);
    const std::size_t end =
        at == nullptr ? text.size()
                      : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
    std::string_view line = text.substr(begin, end - begin);
    const std::string_view mark = trim(line);
    if (mark.substr(0, 3) == "```") {
      if (!inside) {
        inside = true;
        block = std::min(end + 1, text.size());
      } else if (mark == "```") {
        inside = false;
        std::string_view code = text.substr(block, begin - block);
        while (!code.empty() && (code.back() == '\n' || code.back() == '\r')) code.remove_suffix(1);
        if (trim(code).empty() || code.size() > max_bytes) {
          last = {{}, Status::kMalformed};
        } else {
          last = {code, Status::kFound};  // leading blanks are indentation: kept
        }
      }
    }
    begin = end + 1;
  }
  if (inside) return {{}, Status::kUnfinished};
  return last;
}

}  // namespace

Extraction extract(std::string_view text, Policy policy, std::size_t max_bytes) {
  switch (policy) {
    case Policy::kAnswerTag:
      return answer_tag(text, max_bytes);
    case Policy::kBoxed:
      return boxed(text, max_bytes);
    case Policy::kAfterThink:
      return after_think(text, max_bytes);
    case Policy::kFinalLine:
      return final_line(text, max_bytes);
    case Policy::kLastNumber:
      return last_number(text, max_bytes);
    case Policy::kCodeBlock:
      return code_block(text, max_bytes);
    case Policy::kAuto:
      break;
  }
  Extraction result = answer_tag(text, max_bytes);
  if (result.status == Status::kMissing) result = boxed(text, max_bytes);
  if (result.status == Status::kMissing) result = after_think(text, max_bytes);
  return result;
}

Policy policy_from_name(std::string_view name) {
  if (name == "auto") return Policy::kAuto;
  if (name == "answer_tag") return Policy::kAnswerTag;
  if (name == "boxed") return Policy::kBoxed;
  if (name == "after_think") return Policy::kAfterThink;
  if (name == "final_line") return Policy::kFinalLine;
  if (name == "last_number") return Policy::kLastNumber;
  if (name == "code_block") return Policy::kCodeBlock;
  throw InvalidInput(
      "expected an extraction policy: auto, answer_tag, boxed, after_think, "
      "final_line, last_number or code_block; got '" +
      std::string(name) + "'");
}

const char* status_name(Status status) {
  switch (status) {
    case Status::kFound:
      return "found";
    case Status::kUnfinished:
      return "unfinished";
    case Status::kMissing:
      return "missing";
    case Status::kMalformed:
      break;
  }
  return "malformed";
}

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

std::size_t ascii_prefix(std::string_view s, std::size_t i) {
  while (i + 8 <= s.size()) {
    std::uint64_t word;
    std::memcpy(&word, s.data() + i, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
    i += 8;
  }
  return i;
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
