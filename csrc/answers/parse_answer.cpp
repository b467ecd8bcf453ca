// From an answer's text to its value, and back to text.
#include <algorithm>

#include "answers/latex_cleanup.hpp"
#include "answers/parser.hpp"
#include "answers/value.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  s.remove_prefix(std::min(s.find_first_not_of(kBlanks), s.size()));
  return s.substr(0, s.find_last_not_of(kBlanks) + 1);
}

// The inside of a box or font that holds the whole answer.
std::string_view unwrapped(std::string_view s) {
  for (int round = 0; round < 4; ++round) {
    if (s.empty() || s.front() != '\\' || s.back() != '}') return s;
    std::size_t end = 1;
    while (end < s.size() && is_letter(s[end])) ++end;
    if (!one_of(s.substr(1, end - 1), kWrappers)) return s;
    while (end < s.size() && s[end] == ' ') ++end;
    if (s[end] != '{') return s;
    int level = 0;
    for (std::size_t i = end; i + 1 < s.size(); ++i) {
      if (s[i] == '\\') {
        ++i;
      } else if (s[i] == '{') {
        ++level;
      } else if (s[i] == '}' && --level == 0) {
        return s;
      }
    }
    s = trim(s.substr(end + 1, s.size() - end - 2));
  }
  return s;
}

// "(A) -3": the text of a choice, or a difference.
bool is_choice_with_number(std::string_view s) {
  if (s.size() < 6 || s[0] != '(' || s[1] < 'A' || s[1] > 'J' || s[2] != ')' || s[3] != ' ') {
    return false;
  }
  const std::size_t sign = s.find_first_not_of(' ', 3);
  return sign + 1 < s.size() && (s[sign] == '-' || s[sign] == '+') && is_digit(s[sign + 1]);
}

// "(e)": the choice E, or a letter in brackets. Letters up to d are choices without brackets too.
bool is_small_choice(std::string_view s) {
  if (s.size() < 3 || s.front() != '(' || s.back() != ')') return false;
  const std::string_view inside = trim(s.substr(1, s.size() - 2));
  return inside.size() == 1 && inside[0] >= 'e' && inside[0] <= 'j';
}

}  // namespace

bool may_abbreviate_unit(std::string_view symbol) {
  if (symbol.size() > 1) return symbol == "\\Omega " || symbol == "\\mu ";
  return (symbol[0] >= 'A' && symbol[0] <= 'Z') ||
         std::string_view("cdghlmst").find(symbol[0]) != kNone;
}

bool is_currency_sign(std::string_view unit) {
  return unit == "\\$" || unit == "\u20ac" || unit == "\u00a3";
}

bool parse_answer(std::string_view text, Answer& out) {
  std::string words = plain_words(text);
  if (!words.empty()) {
    out.value.kind = ValueKind::kText;
    out.value.text = std::move(words);
    return true;
  }
  std::string clean;
  if (!clean_latex(unwrapped(trim(text)), clean)) return false;
  std::string_view s = trim(clean);
  if (s.size() > 4 && s.starts_with("**") && s.ends_with("**") && trim(text).starts_with("**") &&
      s.substr(2, s.size() - 4).find('*') == kNone && s[2] != ' ' && s[s.size() - 3] != ' ') {
    s = s.substr(2, s.size() - 4);
  }
  bool dots = false;  // 0.333... is a repeating decimal; "$x.$." has two periods
  const auto drop_period = [&] {
    int periods = 0;
    for (; !s.empty() && s.back() == '.'; ++periods) s = trim(s.substr(0, s.size() - 1));
    dots |= periods > 2 || (periods == 2 && !s.empty() && is_digit(s.back()));
  };
  drop_period();
  s = unwrapped(s);
  drop_period();
  if (s.empty() || dots || is_choice_with_number(s) || is_small_choice(s)) {
    return false;
  }
  return Parser(s).answer(out);
}

std::string to_string(const Answer& answer) {
  std::string out = to_string(answer.value);
  if (is_currency_sign(answer.unit)) {
    out.insert(0, answer.unit);
  } else if (!answer.unit.empty()) {
    if (answer.value.expression.terms.size() > 1) out = concat({"(", out, ")"});
    out += answer.unit == kDegrees ? answer.unit : concat({"\\text{ ", answer.unit, "}"});
  }
  if (!answer.name.empty()) out.insert(0, concat({answer.name, "="}));
  return out;
}

std::string to_string(const Value& value) {
  const auto joined = [&](std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < value.parts.size(); ++i) {
      if (i > 0) out += separator;
      out += to_string(value.parts[i]);
    }
    return out;
  };
  switch (value.kind) {
    case ValueKind::kExpression:
      return value.text.empty() ? to_string(value.expression) : value.text;
    case ValueKind::kInfinity:
    case ValueKind::kNumeral:
      return value.text;
    case ValueKind::kText:
      return concat({"\\text{", value.text, "}"});
    case ValueKind::kBracket:
      return concat({{&value.open, 1}, joined(","), {&value.close, 1}});
    case ValueKind::kSet:
      return concat({"\\{", joined(","), "\\}"});
    case ValueKind::kList:
      return joined(", ");
    case ValueKind::kUnion:
      return joined("\\cup ");
    case ValueKind::kMatrix:
      break;
  }
  std::string out = "\\begin{pmatrix}";
  for (std::size_t i = 0; i < value.parts.size(); ++i) {
    if (i > 0) out += i % value.columns == 0 ? "\\\\" : "&";
    out += to_string(value.parts[i]);
  }
  return out + "\\end{pmatrix}";
}

}  // namespace rlvr::answers
