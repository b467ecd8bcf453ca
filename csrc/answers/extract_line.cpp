#include <algorithm>
#include <array>
#include <utility>

#include "answers/extract_parts.hpp"
#include "answers/find.hpp"

namespace rlvr::answers {

using std::string_view_literals::operator""sv;

namespace {

// "answer" and "is" with "to the second question" between them.
constexpr std::size_t kObjectBytes = 60;
// A labelled answer that outranks a box is short: longer ones are sentences about the box.
constexpr std::size_t kShortBytes = 64, kChoiceBytes = 8;

bool is_emphasis(char c) { return c == '*' || c == '_' || c == '`'; }

// The length of a dash that separates, with blanks on both sides, or 0.
std::size_t dash(std::string_view s) {
  for (const std::string_view mark : {"-"sv, "\u2013"sv, "\u2014"sv}) {
    if (s.substr(0, mark.size()) == mark && s.size() > mark.size() && is_space(s[mark.size()])) {
      return mark.size();
    }
  }
  return 0;
}

// The beginning of a solution, which some write after "Answer:".
bool leads_in(std::string_view s) {
  return first_word(s, {"let's", "let us", "let\u2019s", "step by step"}) != 0;
}

// Words that state nothing after "the answer is".
bool states_nothing(std::string_view s) {
  return leads_in(s) || first_word(s, {"not", "correct", "incorrect", "right", "wrong", "clear",
                                       "obvious", "verified", "reasonable"}) != 0;
}

// What follows "answer" in a statement of the answer; text begins behind the word.
Statement stated(std::string_view text) {
  bool plural = !text.empty() && lower(text.front()) == 's';
  if (plural) text.remove_prefix(1);
  if (!text.empty() && is_letter(text.front())) return {};
  const bool blank = !text.empty() && is_space(text.front());
  std::string_view rest = skip_marks(text);
  if (rest.empty()) return {};
  if (rest.front() == '(') {  // Answer (in meters): 12
    const std::size_t close = rest.substr(0, kObjectBytes).find(')');
    if (close == kNone) return {};
    rest = skip_marks(rest.substr(close + 1));
    if (rest.empty() || rest.front() != ':') return {};
  }
  if (rest.front() == ':' || rest.substr(0, 3) == "\uFF1A") {
    rest.remove_prefix(rest.front() == ':' ? 1 : 3);
    rest = skip_marks(rest);
    if (!rest.empty() && rest.front() == '}')
      rest = skip_marks(rest.substr(1));  // \textbf{Answer:}
    return {!leads_in(rest), rest};
  }
  if (const std::size_t length = dash(rest); length != 0 && blank) {
    return {true, skip_marks(rest.substr(length))};
  }
  if (rest.front() == '=' && !plural) return {true, skip_marks(rest.substr(1))};
  if (first_word(rest, {"to", "for", "of", "in"}) != 0) {  // the answer to the question is 12
    const std::size_t limit = std::min(rest.size(), kObjectBytes);
    std::size_t i = 0;
    for (; i < limit; ++i) {
      if (rest[i] == ':' || (rest[i] == '.' && i + 1 < limit && rest[i + 1] == ' ')) return {};
      if (rest[i] != ' ') continue;
      if (first_word(rest.substr(i + 1), {"is", "are", "equals"}) != 0) break;
    }
    if (i == limit) return {};
    rest.remove_prefix(i + 1);
  }
  if (const std::size_t modal = first_word(rest, {"would", "should", "must", "will", "can", "may"});
      modal != 0) {
    rest = skip_marks(rest.substr(modal));
    if (first_word(rest, {"be", "equal", "then"}) == 0) return {};
  }
  const std::size_t verb =
      first_word(rest, {"is", "are", "equals", "be", "equal", "becomes", "was", "turns out to be",
                        "comes out to be", "comes out to", "comes out as", "comes to",
                        "works out to be", "works out to"});
  if (verb == 0) return {};
  rest = skip_marks(rest.substr(verb));
  for (;;) {
    const std::size_t filler = first_word(
        rest, {"therefore", "thus", "simply", "then", "hence", "indeed", "just", "also", "now",
               "given by", "equal to", "as follows", "below", "found to be", "option", "choice"});
    if (filler == 0) break;
    rest.remove_prefix(filler);
    while (!rest.empty() && rest.front() == ',') rest.remove_prefix(1);
    rest = skip_marks(rest);
  }
  if (!rest.empty() && rest.front() == ':') rest = skip_marks(rest.substr(1));
  return {!states_nothing(rest), rest};
}

bool is_title(std::string_view s) {
  s = trim(s);
  std::size_t length = first_word(s, {"the"});
  s = trim_left(s.substr(length));
  length = first_word(s, {"final", "correct"});
  s = trim_left(s.substr(length));
  const bool final = length != 0;
  length = first_word(s, {"answer", "answers"});
  if (length == 0 && final) length = first_word(s, {"result", "results"});
  return length != 0 && trim(s.substr(length)).empty();
}

// A line that is "Final Answer" alone, with the decoration of a heading or without.
bool is_answer_heading(std::string_view line) {
  const auto decoration = [](char c) {
    return is_space(c) || c == '#' || c == '*' || c == '_' || c == ':' || c == '=' || c == '-';
  };
  if (line.size() > 80) return false;
  while (!line.empty() && decoration(line.front())) line.remove_prefix(1);
  while (!line.empty() && decoration(line.back())) line.remove_suffix(1);
  return is_title(line);
}

// Whether what follows "####" is a Markdown heading and no answer. body: text follows the line.
bool is_heading(std::string_view s, bool body) {
  if (first_word(s, {"verification",   "check",       "checking",  "step",         "explanation",
                     "solution",       "conclusion",  "note",      "notes",        "part",
                     "case",           "summary",     "proof",     "problem",      "question",
                     "example",        "analysis",    "reasoning", "approach",     "method",
                     "interpretation", "alternative", "given",     "understanding"}) != 0) {
    return true;
  }
  std::size_t i = 0;
  while (i < s.size() && is_digit(s[i])) ++i;
  if (i > 0 && i + 2 < s.size() && (s[i] == '.' || s[i] == ')') && s[i + 1] == ' ' &&
      is_letter(s[i + 2])) {
    return true;  // a numbered one
  }
  if (!body || first_word(s, {"yes", "no", "true", "false", "none"}) != 0) return false;
  i = 0;
  while (i < s.size() && is_letter(s[i])) ++i;
  return i >= 3;
}

// Whether a word stands before `at`, with a blank between.
bool follows(std::string_view line, std::size_t at, std::string_view word) {
  while (at > 0 && line[at - 1] == ' ') --at;
  return at >= word.size() && begins_with(line.substr(at - word.size(), word.size()), word);
}

// Bytes with which a word for the answer begins, and those that are second in one: most positions
// of a text are neither.
constexpr std::array<bool, 256> bytes_of(std::string_view bytes) {
  std::array<bool, 256> table{};
  for (const char byte : bytes) table[static_cast<unsigned char>(byte)] = true;
  return table;
}
constexpr std::array<bool, 256> kFirst = bytes_of("aAcCoOrR\xD0\xE6\xE7");
constexpr std::array<bool, 256> kSecond = bytes_of("nNeEiIhHpP\xC3\x9E\xBE\x95\xAD");

bool may_state(char first, char second) {
  return kFirst[static_cast<unsigned char>(first)] && kSecond[static_cast<unsigned char>(second)];
}

// The statement of the answer at a position of a line, if there is one.
Statement statement_at(std::string_view line, std::size_t at) {
  const std::string_view rest = line.substr(at);
  if (begins_with(rest, "answer", false)) return stated(rest.substr(6));
  if (begins_with(rest, "result", false) && follows(line, at, "final")) {
    return stated(rest.substr(6));
  }
  if ((begins_with(rest, "option") || begins_with(rest, "choice")) &&
      follows(line, at, "correct")) {
    return stated(rest.substr(6));
  }
  return stated_abroad(rest);
}

// The statement of the answer in a line, the last one. body: text follows the line.
Statement statement_in(std::string_view line, bool body) {
  for (std::size_t at = line.size(); at-- > 0;) {
    if (at + 1 == line.size() || !may_state(line[at], line[at + 1])) continue;
    if (is_letter(line[at]) && at > 0 && is_letter(line[at - 1])) continue;
    const Statement found = statement_at(line, at);
    if (found.present) return found;
  }
  if (is_answer_heading(line)) return {true, {}};
  if (const std::string_view rest = skip_marks(line); begins_with(rest, "ans")) {
    const std::string_view behind = skip_marks(rest.substr(3));
    if (!behind.empty() && (behind.front() == ':' || behind.front() == '=')) {
      return {true, skip_marks(behind.substr(1))};
    }
  }
  const std::size_t hashes = line.rfind("####");
  if (hashes != kNone) {
    const std::string_view answer = skip_marks(line.substr(hashes + 4));
    if (!is_heading(answer, body)) return {true, answer};
  }
  return {};
}

// The period of Chinese and Japanese, and verbs that stand behind what is stated.
constexpr std::string_view kStop = "\u3002", kDesu = "\u3067\u3059", kDearu = "\u3067\u3042\u308B";

// Whether the period at i ends a sentence: a new one begins behind it.
bool ends_sentence(std::string_view s, std::size_t i) {
  std::size_t next = i + 1;
  while (next < s.size() && s[next] == '*') ++next;
  if (next >= s.size() || !is_space(s[next])) return false;
  while (next < s.size() && is_space(s[next])) ++next;
  if (next >= s.size() || is_digit(s[next]) || (s[next] >= 'a' && s[next] <= 'z')) return false;
  std::size_t word = i;
  while (word > 0 && is_letter(s[word - 1])) --word;
  return first_word(s.substr(word, i - word),
                    {"dr", "mr", "mrs", "ms", "st", "vs", "fig", "eq", "approx", "prof"}) == 0;
}

// An answer without the sentences and reasons behind it. Mathematics is left whole.
std::string_view cut_prose(std::string_view s) {
  bool math = false;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '\\' && i + 1 < s.size()) {
      const char next = s[++i];
      if (next == '(' || next == '[') math = true;
      if (next == ')' || next == ']') math = false;
    } else if (c == '$') {
      // A dollar before a digit may be currency: the formula then has no second one.
      math = !math && s.find('$', i + 1) != kNone;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}') {
      if (depth > 0) --depth;
    }
    if (math || depth > 0) continue;
    if ((c == '.' || c == '?') && ends_sentence(s, i)) {
      // The last period of "4:30 p.m." belongs to it.
      const bool abbreviation = i >= 3 && is_letter(s[i - 1]) && s[i - 2] == '.';
      return s.substr(0, abbreviation ? i + 1 : i);
    }
    if (s.compare(i, kStop.size(), kStop) == 0) return s.substr(0, i);
    if (c == ',' || c == ';') {
      const std::string_view rest = trim_left(s.substr(i + 1));
      if (first_word(rest, {"because", "since", "as", "so", "which", "not", "but", "i hope", "thus",
                            "hence", "therefore"}) != 0) {
        return s.substr(0, i);
      }
    }
    if (c == ' ') {
      std::string_view rest = s.substr(i + 1);
      if (!rest.empty() && rest.front() == '(') rest.remove_prefix(1);
      if (first_word(rest, {"because", "since", "i hope"}) != 0 ||
          begins_with(rest, "as it", true) || begins_with(rest, "as the", true)) {
        return s.substr(0, i);
      }
    }
  }
  return s;
}

std::string_view strip(std::string_view s) {
  for (;;) {
    const std::size_t size = s.size();
    s = trim(s);
    while (!s.empty() && (s.front() == '#' || s.front() == '*')) s.remove_prefix(1);
    if (s.size() >= 2 && s.front() == '`' && s.back() == '`') {
      s = s.substr(1, s.size() - 2);
    }
    if (!s.empty() && s.back() == '*') s.remove_suffix(1);
    if (s.size() >= 2 && s.substr(s.size() - 2) == "__") s.remove_suffix(2);
    if (s.size() == size) break;
  }
  return s;
}

std::string_view tidy(std::string_view answer) {
  answer = strip(cut_prose(strip(answer)));
  if (!answer.empty() && answer.back() == '.') {
    const std::size_t size = answer.size();  // that of "p.m." stays
    if (size < 4 || !is_letter(answer[size - 2]) || answer[size - 3] != '.') {
      answer.remove_suffix(1);
    }
  }
  for (const std::string_view verb : {kDesu, kDearu}) {
    if (answer.size() > verb.size() && answer.substr(answer.size() - verb.size()) == verb) {
      answer.remove_suffix(verb.size());
    }
  }
  return strip(answer);
}

// The formula, environment or fenced text that begins on a line of its own at `begin`, or nothing.
std::string_view display(std::string_view text, std::size_t begin, std::size_t max_bytes) {
  std::string_view rest = trim_left(text.substr(begin));
  std::string_view open, close;
  for (const auto& [first, last] :
       {std::pair{"\\["sv, "\\]"sv}, {"$$"sv, "$$"sv}, {"```"sv, "```"sv}}) {
    if (rest.substr(0, first.size()) == first) open = first, close = last;
  }
  const bool environment = open.empty() && rest.substr(0, 7) == "\\begin{";
  if (open.empty() && !environment) return {};
  std::size_t line = rest.find('\n');
  if (environment) {
    const std::size_t brace = rest.substr(0, 32).find('}');
    if (brace == kNone || line == kNone || line < brace) return {};
    const std::string_view name = rest.substr(6, brace - 5);  // with its braces
    const std::string_view reach = rest.substr(0, 2 * max_bytes + 2);
    for (std::size_t at = 0; (at = reach.find("\\end{", at)) != kNone; ++at) {
      if (reach.substr(at + 4, name.size()) == name) return reach.substr(0, at + 4 + name.size());
    }
    return {};
  }
  if (line == kNone) return {};
  const std::string_view head = trim(rest.substr(open.size(), line - open.size()));
  if (!head.empty() && (open != "```" || head.find('`') != kNone)) return {};
  rest.remove_prefix(line);
  const std::size_t end = rest.substr(0, 2 * max_bytes + 2).find(close);
  return end == kNone ? std::string_view{} : trim(rest.substr(0, end));
}

}  // namespace

std::string_view skip_marks(std::string_view s) {
  while (!s.empty() && (is_space(s.front()) || s.front() == '*' || s.front() == '_')) {
    s.remove_prefix(1);
  }
  return s;
}

Extraction final_line(std::string_view text, std::size_t max_bytes, std::string& buffer) {
  std::size_t below = kNone;  // the nearest line below that is not blank
  std::size_t end = text.size();
  for (;;) {
    const std::size_t newline = rfind_byte(text, '\n', end);
    const std::size_t begin = newline == kNone ? 0 : newline + 1;
    const std::string_view line = text.substr(begin, end - begin);
    const Statement found = statement_in(line, below != kNone);
    if (found.present) {
      std::string_view answer = strip(found.answer);
      std::size_t at = below;
      if (!answer.empty()) {
        at = static_cast<std::size_t>(answer.data() - text.data());
      } else if (below == kNone) {
        return {{}, Status::kUnfinished};
      } else {
        answer = text.substr(below, text.find('\n', below) - below);
      }
      if (const std::string_view formula = display(text, at, max_bytes); !formula.empty()) {
        return finish(formula, max_bytes);
      }
      return unbox(tidy(answer), max_bytes, buffer);
    }
    if (!trim(line).empty()) below = begin;
    if (newline == kNone) return {};
    end = newline;
  }
}

std::string_view labelled_answer(std::string_view text) {
  std::string_view answer;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t end = newline == kNone ? text.size() : newline;
    std::string_view line = text.substr(begin, end - begin);
    while (!line.empty() && (is_space(line.front()) || is_emphasis(line.front()) ||
                             line.front() == '#' || line.front() == '>')) {
      line.remove_prefix(1);
    }
    const std::size_t colon = line.substr(0, 24).find(':');
    const Statement abroad = stated_abroad(line);
    if (colon != kNone || abroad.present) {
      std::string_view label = line.substr(0, colon == kNone ? 0 : colon);
      while (!label.empty() && is_emphasis(label.back())) label.remove_suffix(1);
      const std::string_view rest =
          abroad.present ? abroad.answer : skip_marks(line.substr(colon + 1));
      if ((abroad.present || is_title(label)) && !leads_in(rest)) {
        const std::string_view found = tidy(rest);
        const bool shown = first_word(found, {"see", "above", "as"}) == 0;
        const bool alone = rest.size() <= kShortBytes || found.size() <= kChoiceBytes;
        if (!found.empty() && found.size() <= kShortBytes && alone && shown) answer = found;
      }
    }
    begin = end + 1;
  }
  return answer;
}

}  // namespace rlvr::answers
