// Reads lists, sets, tuples, intervals, unions and matrices.
#include <algorithm>

#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

constexpr std::string_view kMatrices[] = {"pmatrix", "bmatrix", "matrix", "array", "smallmatrix"};

}  // namespace

bool Parser::answer(Value& out) {
  skip();
  std::vector<Value> items;
  if (!list(items, '\0')) return false;
  skip();
  if (pos_ != s_.size()) return fail();
  if (items.empty()) return fail();
  if (items.size() > 1 && merged_thousands_) return fail();
  if (items.size() == 1) {
    out = std::move(items[0]);
  } else {
    out = collection(std::move(items));
  }
  return budget_.ok();
}

Value Parser::collection(std::vector<Value> items) {
  std::vector<std::pair<std::string, Value>> keyed;
  for (Value& item : items) {
    std::string key = to_string(item);
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  Value out;
  out.kind = ValueKind::kSet;
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    if (i > 0 && keyed[i].first == keyed[i - 1].first) out.kind = ValueKind::kList;
    out.parts.push_back(std::move(keyed[i].second));
  }
  return out;
}

Value Parser::unique(Value all) {
  all.kind = ValueKind::kSet;
  const auto same = [](const Value& x, const Value& y) { return to_string(x) == to_string(y); };
  all.parts.erase(std::unique(all.parts.begin(), all.parts.end(), same), all.parts.end());
  return all;
}

bool Parser::separator() {
  bool any = false;
  for (;;) {
    const char c = peek();
    if (!any && (c == ',' || c == ';')) {
      ++pos_;
      any = true;
      continue;
    }
    if (at_conjunction()) {
      take_conjunction();
      return true;
    }
    return any;
  }
}

std::size_t Parser::conjunction_end() {
  skip();
  std::string_view w = word();
  if (w == "and" || w == "or") return pos_ + w.size();
  const std::string_view name = command();
  if (name != "text" && name != "mbox" && name != "textrm" && name != "mathrm") return kNone;
  std::size_t i = pos_ + 1 + name.size();
  const auto blanks = [&] {
    while (i < s_.size() && s_[i] == ' ') ++i;
  };
  blanks();
  if (i >= s_.size() || s_[i] != '{') return kNone;
  ++i;
  blanks();
  std::size_t end = i;
  while (end < s_.size() && is_letter(s_[end])) ++end;
  w = s_.substr(i, end - i);
  i = end;
  blanks();
  if ((w != "and" && w != "or") || i >= s_.size() || s_[i] != '}') return kNone;
  return i + 1;
}

std::optional<std::string> Parser::assignment() {
  const std::size_t start = pos_;
  std::string name;
  const auto back = [&]() -> std::optional<std::string> {
    pos_ = start;
    return std::nullopt;
  };
  if (!variable(name)) return back();
  if (peek() == '(') {
    ++pos_;
    std::string argument;
    for (;;) {
      if (!variable(argument)) return back();
      if (take(')')) break;
      if (!take(',')) return back();
    }
    name += "()";
  }
  if (take('=') || take_command("in")) return name;
  return back();
}

bool Parser::variable(std::string& name) {
  const char c = peek();
  if (is_letter(c)) {
    if (word().size() != 1) return false;
    name = std::string(1, c);
    ++pos_;
  } else {
    const std::string_view greek = command();
    if (!one_of(greek, kGreek)) return false;
    name = concat({"\\", greek});
    advance(greek);
  }
  return peek() != '_' || subscript(name);
}

bool Parser::list(std::vector<Value>& items, char close) {
  const Nest nest(*this);
  if (!ok()) return false;
  std::string first_name;
  bool named = false;
  for (;;) {
    skip();
    const std::optional<std::string> name = assignment();
    if (name) {
      if (items.empty()) {
        first_name = *name, named = true;
      } else if (!named || first_name != *name) {
        return fail();  // x = 1, y = 2 is not the set of 1 and 2
      }
    }
    const std::size_t start = pos_;
    const int outer_signs = signs_, outer_sign = sign_;
    signs_ = 0, sign_ = 1;
    Value value;
    if (!union_of(value)) return false;
    const int seen = signs_;
    if (name && mentions(value, *name)) return fail();
    items.push_back(std::move(value));
    if (seen > 1) return fail();
    if (seen == 1) {
      pos_ = start, sign_ = -1, signs_ = 0;
      Value other;
      if (!union_of(other)) return false;
      if (to_string(other) != to_string(items.back())) items.push_back(std::move(other));
    }
    signs_ = outer_signs, sign_ = outer_sign;
    if (items.size() > 256) return fail();
    const std::size_t before = pos_;
    if (!separator()) break;
    if (pos_ == s_.size()) {  // a comma at the very end
      pos_ = before;
      return fail();
    }
  }
  skip();
  if (close == '\0') return pos_ == s_.size() || fail();
  return true;
}

bool Parser::mentions(const Value& value, const std::string& name) {
  for (const Term& term : value.expression.terms) {
    for (const Factor& f : term.factors) {
      if (f.kind == FactorKind::kSymbol && (f.name == name || f.name == concat({name, " "})))
        return true;
      if (f.kind == FactorKind::kOpaque && f.name.find(name) != kNone) return true;
    }
  }
  return std::any_of(value.parts.begin(), value.parts.end(),
                     [&](const Value& part) { return mentions(part, name); });
}

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
  if (only_bracket) return fail();  // [5]: a list, an interval, a group?
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
  for (;;) {
    Value part;
    const int outer = signs_;
    if (!component(part)) return false;
    if (signs_ != outer) return fail();  // (\pm 1, 2): which pairs are meant is unclear
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
