// Finds the final answer in a completion: not in its thoughts, nor in a second problem that the
// model went on with. A malformed or unfinished last box is not replaced by an earlier box, because
// the model may have withdrawn the earlier answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "answers/utf8.hpp"

namespace rlvr::answers {

enum class Policy : std::uint8_t {
  kAuto,        // answer_tag, else boxed, else after_think (arXiv 2507.14843, App. B.3)
  kAnswerTag,   // the last <answer>...</answer>
  kBoxed,       // the boxes of the last statement that has one
  kAfterThink,  // all that follows the last thoughts
  kFinalLine,   // "Answer: ...", "The answer is ...", "#### ..."
  kLastNumber,
  kCodeBlock,  // the last fenced program
};

enum class Status : std::uint8_t {
  kFound,
  kUnfinished,  // a tag, box, fence or thoughts that are opened and never closed
  kMissing,
  kMalformed,  // present, but empty, talked about only, or longer than the limit
};

constexpr std::size_t kDefaultMaxAnswerBytes = 64 << 10;

struct Extraction {
  std::string_view answer;  // a piece of the text or of the buffer; empty unless found
  Status status = Status::kMissing;
};

// Takes time linear in the text, which may hold any bytes. An answer that is no piece of the text
// (several boxes, a program inside a list) is written to `buffer`, whose contents are lost.
Extraction extract(std::string_view text, Policy policy, std::size_t max_bytes,
                   std::string& buffer);

// Throws InvalidInput and names the policies.
Policy policy_from_name(std::string_view name);
const char* status_name(Status status);

}  // namespace rlvr::answers
