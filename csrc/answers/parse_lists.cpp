// Reads lists: the separators of items, the names before items, and the kinds of items that one
// list may hold.
#include <algorithm>

#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

// 3-5, 2020-01-02: a range or a date rather than a difference.
bool range(std::string_view s) {
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return !s.empty() && is_digit(s.front()) && is_digit(s.back()) && s.find('-') != kNone &&
         s.find_first_not_of("0123456789-") == kNone;
}

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

std::optional<std::string> Parser::assignment(bool& member) {
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
  member = take_command("in");
  if (member || take('=')) return name;
  return back();
}

bool Parser::same_unit(std::string& first) {
  if (first.empty()) first = unit_;
  return unit_.empty() || unit_ == first;
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
  std::string first_name, first_unit;
  bool named = false;
  for (;;) {
    skip();
    bool member = false;
    const std::optional<std::string> name = assignment(member);
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
    unit_.clear();
    if (!union_of(value)) return false;
    if (!same_unit(first_unit) || range(s_.substr(start, pos_ - start))) return fail();
    if (member && value.kind != ValueKind::kBracket && value.kind != ValueKind::kSet &&
        value.kind != ValueKind::kUnion) {
      return fail();
    }
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

}  // namespace rlvr::answers
