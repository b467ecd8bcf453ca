#include "answers/extract.hpp"

#include "answers/extract_parts.hpp"
#include "answers/find.hpp"
#include "common/error.hpp"

namespace rlvr::answers {
namespace {

// The last answer tag of a part of a text.
struct Tag {
  std::size_t open = kNone;  // behind an opening tag that is not closed
  Extraction answer;         // of the last closed one that is not talked about only
};

// A part of a text: without thoughts, and with one problem in it.
struct Part {
  std::string_view text;
  bool thought = false;   // thoughts stand before it
  std::string_view rest;  // all that follows the thoughts, to the end of the part
  Tag tag;
};

Extraction last_number(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kMinus = "\u2212", kGroup = "{,}";
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
    } else if (c == '}' && begin > 3 && text.substr(begin - 3, 3) == kGroup &&
               digit_before(begin - 3)) {
      begin -= 3;
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
  const bool typeset = begin >= 3 && text.substr(begin - 3, 3) == kMinus;
  if (typeset || (begin > 0 && text[begin - 1] == '-')) {
    const std::size_t sign = begin - (typeset ? 3 : 1);
    std::size_t before = sign;
    while (before > 0 && text[before - 1] == ' ') --before;
    const char left = before == 0 ? '\n' : text[before - 1];
    // "to -3": behind a word and a blank it is a sign too.
    const bool word = before < sign && before > 1 && is_letter(left) && is_letter(text[before - 2]);
    if (word || (!is_digit(left) && !is_letter(left) && left != ')' && left != '}')) begin = sign;
  }
  return finish(text.substr(begin, end - begin), max_bytes);
}

Extraction after_think(const Part& part, std::size_t max_bytes) {
  if (!part.thought || trim(part.rest).empty()) return {};
  return finish(part.rest, max_bytes);
}

Extraction automatic(const Part& part, std::size_t max_bytes, std::string& buffer) {
  if (part.tag.open != kNone) return {{}, Status::kUnfinished};
  if (part.tag.answer.status == Status::kFound) {
    return unbox(part.tag.answer.answer, max_bytes, buffer);
  }
  if (part.tag.answer.status != Status::kMissing) return part.tag.answer;
  const Boxes boxes = find_boxes(part.text, max_bytes, buffer);
  if (boxes.answer.status == Status::kFound) {
    // "Answer: D" on a line of its own below the box of a step.
    const std::string_view label = labelled_answer(part.text.substr(boxes.end));
    return label.empty() ? boxes.answer : unbox(label, max_bytes, buffer);
  }
  if (boxes.answer.status == Status::kMissing) return after_think(part, max_bytes);
  if (!boxes.talked_about) return boxes.answer;
  const Extraction rest = after_think(part, max_bytes);
  return rest.status == Status::kFound ? rest : boxes.answer;
}

Extraction extract_part(const Part& part, Policy policy, std::size_t max_bytes,
                        std::string& buffer) {
  switch (policy) {
    case Policy::kAnswerTag:
      if (part.tag.open != kNone) return {{}, Status::kUnfinished};
      if (part.tag.answer.status != Status::kFound) return part.tag.answer;
      return unbox(part.tag.answer.answer, max_bytes, buffer);
    case Policy::kBoxed:
      return find_boxes(part.text, max_bytes, buffer).answer;
    case Policy::kAfterThink:
      return after_think(part, max_bytes);
    case Policy::kFinalLine:
      return final_line(part.text, max_bytes, buffer);
    case Policy::kLastNumber:
      return last_number(part.text, max_bytes);
    case Policy::kCodeBlock:
      return code_block(part.text, max_bytes, buffer);
    case Policy::kAuto:
      break;
  }
  return automatic(part, max_bytes, buffer);
}

// Whether an answer before the head of another problem ends the text. Text after thoughts is an
// answer by its place only: the words of a final answer, or another speaker, have to confirm it.
bool is_given(const Part& part, Policy policy, const Extraction& found, MarkKind mark, bool first,
              std::size_t max_bytes) {
  if (found.status != Status::kFound) return false;
  const std::string_view rest = trim(part.rest);
  const bool by_place = part.thought &&
                        (policy == Policy::kAfterThink || policy == Policy::kAuto) &&
                        found.answer.data() == rest.data() && found.answer.size() == rest.size();
  if (by_place && mark == MarkKind::kTask) {
    std::string buffer;
    return final_line(part.text, max_bytes, buffer).status == Status::kFound;
  }
  // A completion that begins with "#### 5" recites the end of an example of its prompt.
  return policy != Policy::kFinalLine || !first || trim_left(part.text).substr(0, 4) != "####";
}

}  // namespace

Extraction extract(std::string_view text, Policy policy, std::size_t max_bytes,
                   std::string& buffer) {
  Part part;
  std::size_t begin = 0, rest = 0;  // of the part, and of all that follows the thoughts
  bool thinking = false, thoughts = false;
  Extraction given;  // an answer that another problem follows
  Part spare;        // the last part that has no such answer, but one of another status
  const auto cut = [&](std::size_t end) {
    part.text = text.substr(begin, end - begin);
    part.rest = text.substr(rest, end - rest);
  };
  Candidates candidates(text);
  for (std::size_t at = 0; (at = candidates.next(at)) != kNone;) {
    const Mark mark = read_mark(text, at);
    at = mark.kind == MarkKind::kNone ? at + 1 : mark.end;
    switch (mark.kind) {
      case MarkKind::kNone:
        break;
      case MarkKind::kThoughtsBegin:
        if (given.status == Status::kFound) return given;
        thinking = thoughts = true;
        break;
      case MarkKind::kThoughtsEnd:
        // Many templates open the thoughts in the prompt: all before the first end is thought.
        given = {};
        spare = part = {};
        thinking = false;
        thoughts = part.thought = true;
        begin = rest = mark.end;
        break;
      case MarkKind::kAnswerBegin:
        part.tag.open = mark.end;
        break;
      case MarkKind::kAnswerEnd:
        if (part.tag.open != kNone) {
          const std::string_view content = text.substr(part.tag.open, mark.begin - part.tag.open);
          const bool before = part.tag.answer.status == Status::kFound;
          // Blanks alone may withdraw the answer before; "<answer></answer>" is talk about tags.
          const bool talked_about =
              content.empty() || (!trim(content).empty() && is_placeholder(content));
          if (!before || !talked_about) part.tag.answer = finish(content, max_bytes);
          part.tag.open = kNone;
        }
        break;
      case MarkKind::kTask:
        if (policy == Policy::kCodeBlock) break;  // may stand in a program
        [[fallthrough]];
      case MarkKind::kTurn: {
        if (thinking || given.status == Status::kFound) break;
        if (policy == Policy::kCodeBlock && text[mark.begin] != '<') break;
        cut(mark.begin);
        const Extraction found = extract_part(part, policy, max_bytes, buffer);
        if (is_given(part, policy, found, mark.kind, begin == 0, max_bytes)) {
          if (thoughts) return found;
          given = found;  // unless it turns out to be in thoughts
          break;
        }
        if (found.status != Status::kMissing) spare = part;
        begin = mark.begin;
        part.tag = {};
        break;
      }
    }
  }
  if (given.status == Status::kFound) return given;
  if (thinking) return {{}, Status::kUnfinished};
  cut(text.size());
  const Extraction found = extract_part(part, policy, max_bytes, buffer);
  if (found.status != Status::kMissing || spare.text.empty()) return found;
  return extract_part(spare, policy, max_bytes, buffer);
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

}  // namespace rlvr::answers
