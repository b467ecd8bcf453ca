#include <algorithm>

#include "answers/extract_parts.hpp"
#include "answers/find.hpp"

namespace rlvr::answers {

using std::string_view_literals::operator""sv;

namespace {

// The boxes of one statement stand close to each other.
constexpr std::size_t kGapBytes = 120, kReachBytes = 400;

struct Box {
  bool command = false;  // \boxed, \fbox or \framebox stands there
  bool talked_about = false;
  Extraction answer;
  std::size_t begin = 0, end = 0;  // from the backslash to behind the box
};

// The length of the name of the box command at a backslash, or 0.
std::size_t box_name(std::string_view text, std::size_t at) {
  if (at + 5 > text.size()) return 0;
  std::string_view name;
  if (text[at + 1] == 'b' && text[at + 2] == 'o') {
    name = "boxed";
  } else if (text[at + 1] == 'f' && text[at + 2] == 'b') {
    name = "fbox";
  } else if (text[at + 1] == 'f' && text[at + 3] == 'a' && text[at + 4] == 'm') {
    name = "framebox";
  } else {
    return 0;
  }
  const std::size_t end = at + 1 + name.size();
  if (text.compare(at + 1, name.size(), name) != 0) return 0;
  return end < text.size() && is_letter(text[end]) ? 0 : name.size();  // \boxedminipage
}

// The end of a command and of the groups that follow it: \frac{1}{2}, \sqrt[3]{2}, \frac12, \pi.
std::size_t command_end(std::string_view text, std::size_t at, std::size_t stop) {
  std::size_t i = at + 1;
  while (i < stop && is_letter(text[i])) ++i;
  std::size_t groups = 0;
  while (i < stop && (text[i] == '{' || text[i] == '[')) {
    const std::size_t close =
        text[i] == '{' ? closing_brace(text, i + 1, stop) : text.substr(0, stop).find(']', i);
    if (close == kNone) return kNone;
    i = close + 1;
    ++groups;
  }
  const std::string_view name = text.substr(at, i - at);
  if (groups == 0 && name.size() >= 5 && name.substr(name.size() - 4) == "frac") {
    while (i < stop && groups < 2 && (is_digit(text[i]) || text[i] == ' ')) {
      groups += text[i++] != ' ';
    }
  }
  return i;
}

// The end of what a box without braces holds, or 0 where the command is only talked about.
std::size_t bare_end(std::string_view text, std::size_t at, std::size_t stop) {
  std::size_t i = at;
  if (text[i] == '-' || text[i] == '+') ++i;
  if (i < stop && text[i] == '\\') {
    const bool command = i + 1 < stop && is_letter(text[i + 1]);
    return command && box_name(text, i) == 0 ? command_end(text, i, stop) : 0;
  }
  const std::size_t digits = i;
  while (i < stop && (is_digit(text[i]) || ((text[i] == '.' || text[i] == ',') && i + 1 < stop &&
                                            is_digit(text[i + 1])))) {
    ++i;
  }
  if (i > digits) return i;
  const auto ends = [&](std::size_t k) {  // the answer ends before k
    if (k >= text.size()) return true;
    constexpr std::string_view kAfter = "$.,;)\n";
    return kAfter.find(text[k]) != kNone || text.compare(k, 2, "\\)") == 0 ||
           text.compare(k, 2, "\\]") == 0;
  };
  if (i < stop && is_letter(text[i]) && ends(i + 1)) return i + 1;
  if (i + 2 < stop && text[i] == '(' && is_letter(text[i + 1]) && text[i + 2] == ')') return i + 3;
  return 0;
}

Box read_box(std::string_view text, std::size_t at, std::size_t max_bytes) {
  Box box;
  const std::size_t name = box_name(text, at);
  if (name == 0) return box;
  std::size_t after = at + 1 + name;
  const bool frame = name == 8;
  box.command = true;
  box.begin = at;
  const auto skip_space = [&] {
    while (after < text.size() && is_space(text[after])) ++after;
  };
  skip_space();
  for (int options = 0; frame && options < 2 && after < text.size() && text[after] == '[';
       ++options) {  // \framebox[width][position]{...}
    const std::size_t close = text.substr(after, 64).find(']');
    if (close == kNone) break;
    after += close + 1;
    skip_space();
  }
  box.end = after;
  if (after == text.size()) {
    box.answer.status = Status::kUnfinished;
    return box;
  }
  // The limit applies to the answer without the blanks around it; the number of those blanks has
  // the same limit.
  const std::size_t stop = std::min(text.size(), after + 1 + 2 * max_bytes + 2);
  const Extraction cut{{}, stop == text.size() ? Status::kUnfinished : Status::kMalformed};
  if (text[after] != '{') {
    const std::size_t end = bare_end(text, after, stop);
    box.talked_about = end == 0;
    if (end == kNone) {
      box.answer = cut;
    } else if (end != 0) {
      box.answer = finish(text.substr(after, end - after), max_bytes);
      box.end = end;
    }
    return box;
  }
  const std::size_t begin = after + 1;
  const std::size_t close = closing_brace(text, begin, stop);
  if (close == kNone) {
    box.answer = cut;
    return box;
  }
  const std::string_view content = text.substr(begin, close - begin);
  box.end = close + 1;
  box.talked_about = is_placeholder(content);
  if (!box.talked_about) box.answer = finish(content, max_bytes);
  return box;
}

// Whether s begins with the rest of a label such as "(b)" or "(iii)".
bool is_label(std::string_view s) {
  const std::size_t close = s.substr(0, 5).find(')');
  if (close == kNone || close == 0) return false;
  if (close == 1) return is_letter(s[0]);
  return s.substr(0, close).find_first_not_of("ivx") == kNone;
}

// Whether two boxes with this text between them belong to one statement of several answers:
// "$x=\boxed{1}$ and $y=\boxed{2}$". A computation or a conclusion does not.
bool joins(std::string_view gap) {
  if (gap.size() > kGapBytes) return false;
  if (joins_abroad(gap)) return true;
  std::string_view rest = gap;
  std::size_t breaks = 0;
  for (;;) {  // the first sign after the box
    while (!rest.empty() && is_space(rest.front())) {
      breaks += rest.front() == '\n';
      rest.remove_prefix(1);
    }
    const std::size_t length = delimiter(rest);
    if (length == 0) break;
    rest.remove_prefix(length);
  }
  const bool blank = rest.empty();
  constexpr std::string_view kOperators = "=+-/<>^_|!:";
  const bool item = breaks > 0 && rest.substr(0, 2) == "- ";  // of a list
  if (!blank && !item && kOperators.find(rest.front()) != kNone) return false;
  bool separated = blank && breaks == 0;
  std::size_t newlines = 0;
  bool label = false;  // "(b)", "2." or "- " after a line break
  for (std::size_t i = 0; i < gap.size(); ++i) {
    const char c = gap[i];
    const char next = i + 1 < gap.size() ? gap[i + 1] : ' ';
    if (c == '\n') {
      if (++newlines > 1) return false;
      std::size_t k = i + 1;
      while (k < gap.size() && (gap[k] == ' ' || gap[k] == '(' || gap[k] == '*')) ++k;
      label = k < gap.size() &&
              (gap[k] == '-' || (k + 1 < gap.size() && (gap[k + 1] == ')' || gap[k + 1] == '.') &&
                                 (is_letter(gap[k]) || is_digit(gap[k]))));
    }
    if (c == ',' || c == ';' || c == '&') separated = true;
    if (c == '(' && is_label(gap.substr(i + 1))) separated = true;
    const bool ends = c == '.' || c == '?' || c == '!';
    if (ends && is_space(next) && !(i > 0 && newlines == 1 && is_digit(gap[i - 1]))) return false;
    if (c == '\\' && gap.substr(i, 2) == "\\\\") separated = true;
  }
  for (const std::string_view sign :
       {"\\Rightarrow"sv, "\\implies"sv, "\\to"sv, "\\iff"sv, "\\therefore"sv, "\\approx"sv,
        "\\cdot"sv, "\\times"sv, "\\div"sv, "\\le"sv, "\\ge"sv, "\\pm"sv, "\\frac"sv,
        "\\rightarrow"sv, "\\equiv"sv}) {
    if (gap.find(sign) != kNone) return false;
  }
  if (has_word(gap, {"so",       "thus",  "hence",    "therefore",    "then",       "but",
                     "not",      "wait",  "actually", "instead",      "rather",     "giving",
                     "gives",    "give",  "makes",    "because",      "since",      "which",
                     "from",     "after", "before",   "where",        "if",         "minus",
                     "plus",     "times", "answer",   "total",        "altogether", "approximately",
                     "about",    "i",     "namely",   "equivalently", "equals",     "simplifies",
                     "finally",  "step",  "check",    "boxed",        "we",         "donc",
                     "alors",    "por",   "luego",    "entonces",     "daher",      "deshalb",
                     "folglich", "damit", "quindi",   "portanto"})) {
    return false;
  }
  if (has_word(gap, {"and", "or"})) separated = true;
  return separated ? newlines == 0 || label || !blank : label;
}

// Whether a box may end in the statement before `end`. Mostly the sentence has begun behind it.
bool may_hold_box(std::string_view text, std::size_t end) {
  const std::size_t stop = end > kGapBytes ? end - kGapBytes : 0;
  for (std::size_t i = end; i-- > stop;) {
    const char c = text[i];
    if (c == '}') return true;
    if (c == '\\' && box_name(text, i) != 0) return true;  // without braces
    const bool breaks = c == '.' || c == '?' || c == '!' || c == '\n';
    if (breaks && i + 1 < end && (c == '\n' ? text[i + 1] == '\n' : is_space(text[i + 1]))) {
      return i > 0 && is_digit(text[i - 1]);  // "2. " may number an item of a list
    }
  }
  return false;
}

// The box before `end` that belongs to one statement with the box at `end`, if there is one.
Box box_before(std::string_view text, std::size_t end, std::size_t max_bytes) {
  if (!may_hold_box(text, end)) return {};
  const std::size_t reach = end > kReachBytes ? end - kReachBytes : 0;
  for (std::size_t at = end; (at = rfind_byte(text, '\\', at)) != kNone && at >= reach;) {
    if (box_name(text, at) == 0) continue;
    Box box = read_box(text, at, max_bytes);
    if (box.talked_about) continue;
    const bool beside = box.answer.status == Status::kFound && box.end <= end;
    if (beside && joins(text.substr(box.end, end - box.end))) return box;
    break;
  }
  return {};
}

}  // namespace

std::size_t delimiter(std::string_view s) {
  if (s.empty()) return 0;
  switch (s.front()) {
    case '$':
    case '{':
    case '}':
    case '*':
    case '~':
      return 1;
    case '\\':
      break;
    default:
      return 0;
  }
  for (const std::string_view mark :
       {"\\("sv, "\\)"sv, "\\["sv, "\\]"sv, "\\,"sv, "\\;"sv, "\\ "sv, "\\quad"sv, "\\qquad"sv,
        "\\text{"sv, "\\textbf{"sv, "\\mathrm{"sv}) {
    if (s.substr(0, mark.size()) == mark) return mark.size();
  }
  return 0;
}

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

bool is_placeholder(std::string_view content) {
  content = trim(content);
  if (content.size() > 48) return false;
  for (const char c : content) {
    if (is_digit(c)) return false;
  }
  char letters[48];
  std::size_t size = 0;
  for (std::size_t i = 0; i < content.size();) {
    const std::size_t skip = delimiter(content.substr(i));
    if (skip != 0) {
      i += skip;
    } else if (is_space(content[i]) || content[i] == '_') {
      ++i;
    } else {
      letters[size++] = lower(content[i++]);
    }
  }
  std::string_view name(letters, size);
  if (name.empty()) return content.find("\\text") == kNone;
  for (const std::string_view word :
       {"insert"sv, "put"sv, "the"sv, "my"sv, "your"sv, "final"sv, "numerical"sv}) {
    if (name.substr(0, word.size()) == word && name.size() > word.size()) {
      name.remove_prefix(word.size());
    }
  }
  for (const std::string_view word :
       {"..."sv, ".."sv, "\u2026"sv, "\\ldots"sv, "\\dots"sv, "\\cdots"sv, "answer"sv,
        "answerhere"sv, "result"sv, "resulthere"sv, "and"sv}) {
    if (name == word) return true;
  }
  return false;
}

Boxes find_boxes(std::string_view text, std::size_t max_bytes, std::string& buffer) {
  Boxes boxes;
  Box last;
  for (std::size_t at = text.size(); (at = rfind_byte(text, '\\', at)) != kNone;) {
    if (box_name(text, at) == 0) continue;
    last = read_box(text, at, max_bytes);
    if (!last.talked_about) break;
    boxes.talked_about = true;
    last.command = false;
  }
  if (!last.command) {
    if (boxes.talked_about) boxes.answer.status = Status::kMalformed;
    return boxes;
  }
  boxes.talked_about = false;
  boxes.answer = last.answer;
  boxes.end = last.end;
  if (last.answer.status != Status::kFound) return boxes;
  std::size_t first = last.begin;
  bool alike = true;
  for (;;) {
    const Box box = box_before(text, first, max_bytes);
    if (!box.command) break;
    first = box.begin;
    alike = alike && box.answer.answer == last.answer.answer;
  }
  if (alike) return boxes;
  buffer.clear();
  for (std::size_t at = first; at < last.end;) {
    const Box box = read_box(text, at, max_bytes);
    if (box.command && !box.talked_about) {
      if (!buffer.empty()) buffer += ", ";
      buffer += box.answer.answer;
      at = box.end;
    } else {
      ++at;
    }
    at = text.find('\\', at);  // npos after the last box
  }
  boxes.answer = finish(buffer, max_bytes);
  return boxes;
}

Extraction unbox(std::string_view answer, std::size_t max_bytes, std::string& buffer) {
  const Extraction whole = finish(answer, max_bytes);
  if (whole.status != Status::kFound) return whole;
  const Boxes boxes = find_boxes(whole.answer, max_bytes, buffer);
  if (boxes.answer.status != Status::kFound) return whole;
  // A box alone, with or without delimiters, is left to the reader of answers.
  const std::size_t at = whole.answer.find('\\');
  std::string_view before = whole.answer;
  for (std::size_t i = at; i != kNone; i = whole.answer.find('\\', i + 1)) {
    const Box box = read_box(whole.answer, i, max_bytes);
    if (!box.command) continue;
    before = whole.answer.substr(0, i);
    if (box.end != boxes.end) return boxes.answer;  // several boxes
    break;
  }
  const auto prose = [](std::string_view s) {
    for (std::size_t i = 0; i < s.size();) {
      const std::size_t skip = delimiter(s.substr(i));
      if (skip == 0 && !is_space(s[i]) && s[i] != '.') return true;
      i += std::max<std::size_t>(skip, 1);
    }
    return false;
  };
  if (prose(before) || prose(whole.answer.substr(boxes.end))) return boxes.answer;
  return whole;
}

}  // namespace rlvr::answers
