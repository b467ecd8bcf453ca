// Reads sets, tuples, intervals, unions, matrices and numerals.
#include <algorithm>

#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

constexpr std::string_view kDegreeStarts[] = {"^\\circ", "^{\\circ", "deg",
                                              "\\deg",   "\\text",   "\\mathrm"};
constexpr std::string_view kMatrices[] = {"pmatrix", "bmatrix", "matrix", "array", "smallmatrix"};

bool one_symbol(const Expression& x) {
  return x.terms.size() == 1 && x.terms[0].coefficient.one() && x.terms[0].factors.size() == 1 &&
         x.terms[0].factors[0].kind == FactorKind::kSymbol &&
         x.terms[0].factors[0].exponent == Exponent{1, 1} && x.terms[0].factors[0].name.size() == 1;
}

// (12)(34): a permutation, as its cycles.
bool cycles(std::string_view s) {
  return s.find_first_not_of("0123456789() ") == kNone && s.find(')') < s.rfind('(') &&
         s.rfind('(') != kNone;
}

// Degrees stand beside a number as it is written: \sqrt{2}^\circ is a power.
bool number_before_degrees(std::string_view s) {
  const std::size_t end = s.find_first_not_of("+-0123456789./ ");
  if (end == 0 || end == kNone) return false;
  std::string rest(s.substr(end));
  std::erase(rest, ' ');
  return std::any_of(std::begin(kDegreeStarts), std::end(kDegreeStarts),
                     [&](std::string_view start) { return rest.starts_with(start); });
}

// 3-5, 2020-01-02: a range or a date rather than a difference.
bool range(std::string_view s) {
  if (s.find_first_not_of("0123456789-. ()/") != kNone) return false;
  for (std::size_t at = s.find('-'); at != kNone; at = s.find('-', at + 1)) {
    const std::size_t before = at == 0 ? kNone : s.find_last_not_of(' ', at - 1);
    if (before != kNone && is_digit(s[before])) return true;
  }
  return false;
}

// 5 m, 3 A, 2 m/s: a number beside letters that abbreviate units.
bool may_be_unit(const Expression& x) {
  if (x.terms.size() != 1) return false;
  const Term& term = x.terms[0];
  bool any = false;
  for (const Factor& f : term.factors) {
    if (f.kind == FactorKind::kOpaque) return false;
    if (f.kind != FactorKind::kSymbol) continue;
    any = true;
    if (f.name == "\\Omega " || f.name == "\\mu ") return true;
    if (!may_abbreviate_unit(f.name)) return false;
  }
  const bool alone = term.coefficient.one() && term.factors.size() == 1 &&
                     term.factors[0].exponent == Exponent{1, 1};
  return any && !alone;
}

}  // namespace

bool Parser::union_of(Value& out) {
  if (!component(out)) return false;
  if (!take_command("cup")) return true;
  Value all;
  all.kind = ValueKind::kUnion;
  all.parts.push_back(std::move(out));
  do {
    all.parts.emplace_back();
    if (!component(all.parts.back())) return false;
  } while (ok() && take_command("cup"));
  for (const Value& part : all.parts) {
    if (part.kind != ValueKind::kBracket && part.kind != ValueKind::kSet) return fail();
  }
  std::sort(all.parts.begin(), all.parts.end(),
            [](const Value& x, const Value& y) { return to_string(x) < to_string(y); });
  out = std::move(all);
  return true;
}

std::size_t Parser::closing(bool& commas) {
  commas = false;
  int level = 0;
  for (std::size_t i = pos_; i < s_.size(); ++i) {
    const char c = s_[i];
    if (c == '\\' && i + 1 < s_.size() && (s_[i + 1] == '{' || s_[i + 1] == '}')) {
      level += s_[++i] == '{' ? 1 : -1;
    } else if (c == '(' || c == '[' || c == '{') {
      ++level;
    } else if (c == ')' || c == ']' || c == '}') {
      --level;
    } else if ((c == ',' || c == ';') && level == 1) {
      commas = true;
    }
    if (level == 0) {
      budget_.spend(static_cast<int>((i - pos_) / 16));
      return i;
    }
  }
  return kNone;
}

bool Parser::component(Value& out) {
  const Nest nest(*this);
  if (!ok()) return false;
  const char c = peek();
  if (c == '(' || c == '[') {
    bool commas;
    if (closing(commas) == kNone) return fail();
    if (commas) return bracket(out);
  }
  if (c == '\\') {
    if (pos_ + 1 < s_.size() && s_[pos_ + 1] == '{') return set(out);
    const std::string_view name = command();
    if (name == "begin") return matrix(out);
    if (name == "emptyset" || name == "varnothing") {
      advance(name);
      out = Value();
      out.kind = ValueKind::kSet;
      return true;
    }
  }
  if (infinity(out)) return true;
  if (is_digit(c) && numeral(out)) return true;
  out = Value();
  const std::size_t start = pos_;
  const int decimals = decimals_;
  if (!sum(out.expression)) return false;
  if (pos_ == start || may_be_unit(out.expression)) return fail();
  std::string_view text = s_.substr(start, pos_ - start);
  while (text.back() == ' ') text.remove_suffix(1);
  if (range(text) || cycles(text)) return fail();
  // B^1 is no choice, and 1 m is a length.
  if (one_symbol(out.expression) && text.find_first_of("0123456789/*^+-") != kNone) return fail();
  if (unit_ == kDegrees && !number_before_degrees(text)) return fail();
  if (decimals_ == decimals) return true;
  // A decimal that may be rounded: how it is written counts, so that it has to stand alone.
  const std::size_t sign = text[0] == '-' || text[0] == '+';
  if (text.substr(sign) != decimal_written_) return fail();
  out.text = (text[0] == '-' ? "-" : "") + decimal_;
  return true;
}

bool Parser::infinity(Value& out) {
  const std::size_t start = pos_;
  char sign = '+';
  if (peek() == '-' || peek() == '+') sign = s_[pos_++];
  if (!take_command("infty")) {
    pos_ = start;
    return false;
  }
  out = Value();
  out.kind = ValueKind::kInfinity;
  out.text = sign == '-' ? "-\\infty" : "\\infty";
  return true;
}

bool Parser::numeral(Value& out) {
  std::size_t i = pos_;
  while (i < s_.size() && is_digit(s_[i])) ++i;
  const std::string_view digits = s_.substr(pos_, i - pos_);
  while (i < s_.size() && s_[i] == ' ') ++i;
  if (i >= s_.size() || s_[i] != '_') return false;
  ++i;
  while (i < s_.size() && s_[i] == ' ') ++i;
  const bool braced = i < s_.size() && s_[i] == '{';
  if (braced) ++i;
  const std::size_t at = i;
  while (i < s_.size() && is_digit(s_[i]) && (braced || i == at)) ++i;
  const std::string_view base = s_.substr(at, i - at);
  if (base.empty() || base.size() > 2 || digits.size() > 64) return fail();
  const int radix = base.size() == 1 ? base[0] - '0' : 10 * (base[0] - '0') + base[1] - '0';
  if (radix < 2) return fail();
  for (const char digit : digits) {
    if (digit - '0' >= radix) return fail();
  }
  if (braced && (i >= s_.size() || s_[i++] != '}')) return fail();
  pos_ = i;
  out = Value();
  out.kind = ValueKind::kNumeral;
  const std::size_t lead = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  out.text = concat({digits.substr(lead), "_{", base, "}"});
  return true;
}

bool Parser::bracket(Value& out) {
  Value value;
  value.kind = ValueKind::kBracket;
  value.open = s_[pos_++];
  ++brackets_;
  do {
    Value part;
    if (!component(part)) return false;
    if (!unit_.empty()) return fail();
    value.parts.push_back(std::move(part));
    if (value.parts.size() > 256) return fail();
  } while (take(','));
  const char close = peek();
  if (close != ')' && close != ']') return fail();
  ++pos_;
  --brackets_;
  value.close = close;
  if ((value.open == '[') != (close == ']')) {
    // (1,1] is no interval.
    if (value.parts.size() != 2) return fail();
    if (to_string(value.parts[0]) == to_string(value.parts[1])) return fail();
  }
  out = std::move(value);
  return true;
}

bool Parser::set(Value& out) {
  pos_ += 2;
  ++brackets_;
  out = Value();
  out.kind = ValueKind::kSet;
  const auto end = [&] {
    skip();
    if (s_.compare(pos_, 2, "\\}") != 0) return false;
    pos_ += 2;
    --brackets_;
    return true;
  };
  if (end()) return true;
  std::vector<Value> items;
  if (!list(items) || !unit_.empty() || !end()) return fail();
  return braced(out, std::move(items));
}

bool Parser::matrix(Value& out) {
  advance("begin");
  std::string_view name;
  if (!take('{')) return fail();
  name = word();
  pos_ += name.size();
  if (!one_of(name, kMatrices) || !take('}')) return fail();
  if (name == "array") {
    if (!take('{')) return fail();
    while (is_letter(peek()) || peek() == '|') ++pos_;
    if (!take('}')) return fail();
  }
  out = Value();
  out.kind = ValueKind::kMatrix;
  ++brackets_;
  std::size_t column = 0;
  for (;;) {
    Value cell;
    if (!component(cell) || !unit_.empty()) return fail();
    if (cell.kind != ValueKind::kExpression) return fail();
    out.parts.push_back(std::move(cell));
    ++column;
    if (out.parts.size() > 256) return fail();
    if (take('&')) continue;
    const bool row_ends = peek() == '\\' && s_.compare(pos_, 2, "\\\\") == 0;
    if (row_ends) pos_ += 2;
    if (out.columns == 0) out.columns = column;
    if (out.columns != column) return fail();
    column = 0;
    if (take_command("end")) break;
    if (!row_ends) return fail();
  }
  if (!take('{')) return fail();
  const std::string_view last = word();
  if (last != name) return fail();
  pos_ += last.size();
  if (!take('}')) return fail();
  --brackets_;
  return true;
}

}  // namespace rlvr::answers
