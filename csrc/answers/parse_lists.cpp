// Reads lists: the separators of items, the names before items, and the kinds of items that one
// list may hold.
#include <algorithm>

#include "answers/latex_cleanup.hpp"
#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

bool Parser::answer(Answer& out) {
  skip();
  const std::optional<std::string> name = assignment();
  const std::string sign = currency();
  std::vector<Value> items;
  if (!list(items)) return false;
  std::string unit = unit_;
  if (unit.empty()) unit = currency();
  skip();
  if (pos_ != s_.size() || (!sign.empty() && !unit.empty())) return fail();
  if (!sign.empty()) unit = sign;
  Value& value = out.value;
  if (items.size() == 1) {
    value = std::move(items[0]);
  } else {
    if (merged_thousands_) return fail();
    value.kind = ValueKind::kList;
    value.parts = std::move(items);
  }
  if (!unit.empty() && (value.kind != ValueKind::kExpression || !value.expression.numeric())) {
    return fail();
  }
  if (name && (letter_alone(value) || mentions(value, *name))) return fail();
  if (name) out.name = *name;
  // "i mm" and "pi mm" may be words.
  if (!unit.empty() && unit != kDegrees && !is_currency_sign(unit) &&
      to_string(value).find_first_of("0123456789") == kNone) {
    return fail();
  }
  out.unit = std::move(unit);
  return budget_.ok();
}

std::string Parser::currency() {
  const char c = peek();
  if (c != kDollar && c != kEuro && c != kPound) return {};
  ++pos_;
  return c == kDollar ? "\\$" : c == kEuro ? "\u20ac" : "\u00a3";
}

bool Parser::braced(Value& out, std::vector<Value> items) {
  std::vector<std::pair<std::string, Value>> keyed;
  for (Value& item : items) {
    std::string key = to_string(item);
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  out = Value();
  out.kind = ValueKind::kSet;
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    if (i > 0 && keyed[i].first == keyed[i - 1].first) return fail();
    out.parts.push_back(std::move(keyed[i].second));
  }
  return true;
}

std::optional<std::string> Parser::assignment() {
  const std::size_t start = pos_;
  std::string name;
  const auto back = [&]() -> std::optional<std::string> {
    pos_ = start;
    return std::nullopt;
  };
  // i and e are numbers.
  if (!variable(name) || name == "i" || name == "e") return back();
  if (take('(')) {
    name += '(';
    for (;;) {
      std::string argument;
      if (!variable(argument)) return back();
      name += argument;
      if (take(')')) break;
      if (!take(',')) return back();
      name += ',';
    }
    name += ')';
  }
  if (take('=')) return name;
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

bool Parser::list(std::vector<Value>& items) {
  const Nest nest(*this);
  if (!ok()) return false;
  do {
    if (!unit_.empty()) return fail();  // 3 ft, 5 in
    skip();
    Value value;
    if (!union_of(value)) return false;
    items.push_back(std::move(value));
    if (items.size() > 256) return fail();
  } while (take(','));
  return items.size() == 1 || unit_.empty() || fail();
}

bool Parser::letter_alone(const Value& value) {
  if (value.kind != ValueKind::kExpression || value.expression.terms.size() != 1) return false;
  const Term& term = value.expression.terms[0];
  if (!term.coefficient.one() || term.factors.size() != 1) return false;
  const Factor& f = term.factors[0];
  return f.kind == FactorKind::kSymbol && f.exponent == Exponent{1, 1} && f.name.size() == 1 &&
         f.name[0] >= 'A' && f.name[0] <= 'Z';
}

bool Parser::mentions(const Value& value, const std::string& whole) {
  const std::string name = whole.substr(0, whole.find('('));
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
