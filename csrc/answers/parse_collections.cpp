// Reads sets, tuples, intervals, unions, matrices and numerals.
#include <algorithm>

#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

constexpr std::string_view kMatrices[] = {"pmatrix", "bmatrix", "matrix", "array", "smallmatrix"};

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
  if (c == '{') {
    bool commas;
    const std::size_t end = closing(commas);
    if (end == kNone) return fail();
    if (commas) {
      ++pos_, ++brackets_;
      std::vector<Value> items;
      if (!list(items, '}') || !take('}')) return fail();
      --brackets_;
      out = unique(collection(std::move(items)));
      return true;
    }
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
  const bool bracketed = c == '[';
  const std::size_t start = pos_;
  bool only_bracket = false;
  if (bracketed) {
    bool commas;
    const std::size_t end = closing(commas);
    const std::size_t save = pos_;
    pos_ = end + 1;
    const char next = peek();
    only_bracket = next == '\0' || next == ',' || next == ';';
    pos_ = save;
  }
  if (only_bracket) return fail();  // [5] may be a list, an interval or a group
  if (!sum(out.expression)) return false;
  if (pos_ == start) return fail();
  unit_ended_ = false;
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
  if (base.empty() || base.size() > 3 || digits.size() > 64) return fail();
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
  std::string first_unit;
  for (;;) {
    Value part;
    const int outer = signs_;
    unit_.clear();
    if (!component(part)) return false;
    if (!same_unit(first_unit)) return fail();
    if (signs_ != outer) return fail();  // (\pm 1, 2): the pairs are ambiguous
    value.parts.push_back(std::move(part));
    if (value.parts.size() > 256) return fail();
    if (take(',') || take(';')) continue;
    break;
  }
  const char close = peek();
  if (close != ')' && close != ']') return fail();
  ++pos_;
  --brackets_;
  value.close = close;
  if ((value.open == '[') != (close == ']') && value.parts.size() != 2) return fail();
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
  if (!list(items, '}')) return false;
  if (!end()) return fail();
  out = unique(collection(std::move(items)));
  return true;
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
    if (!component(cell) || signs_ != 0) return fail();
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
