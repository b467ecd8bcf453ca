// Finds the final answer in a completion. Every policy searches from the end and uses the last mark
// of its kind. A malformed or unfinished last box is not replaced by an earlier box, because the
// model may have withdrawn the earlier answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rlvr::answers {

enum class Policy : std::uint8_t {
  kAuto,        // answer_tag, else boxed, else after_think (arXiv 2507.14843, App. B.3)
  kAnswerTag,   // the last <answer>...</answer>
  kBoxed,       // the last balanced \boxed{...} or \fbox{...}
  kAfterThink,  // all that follows the last </think>
  kFinalLine,   // "Answer: ...", "The answer is ...", "#### ..."
  kLastNumber,
  kCodeBlock,  // the last fenced block
};

enum class Status : std::uint8_t {
  kFound,
  kUnfinished,  // a tag, box, fence or <think> that is opened and never closed
  kMissing,
  kMalformed,  // present, but empty, without braces, or longer than the limit
};

constexpr std::size_t kDefaultMaxAnswerBytes = 64 << 10;

struct Extraction {
  std::string_view answer;  // a piece of the text; empty unless found
  Status status = Status::kMissing;
};

// Reads only as far back as the policy needs. The text may hold any bytes.
Extraction extract(std::string_view text, Policy policy,
                   std::size_t max_bytes = kDefaultMaxAnswerBytes);

// Throws InvalidInput and names the policies.
Policy policy_from_name(std::string_view name);
const char* status_name(Status status);

bool is_valid_utf8(std::string_view bytes);
// Appends bytes to out, each ill-formed sequence replaced by U+FFFD (Unicode 15, 3.9, table 3-7).
void append_utf8(std::string_view bytes, std::string& out);

}  // namespace rlvr::answers
