#include "answers/normalize.hpp"

#include <algorithm>
#include <cmath>

#include "answers/extract.hpp"
#include "answers/hash.hpp"
#include "answers/value.hpp"

namespace rlvr::answers {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Most answers are integers of few digits. The parser reads longer integers and applies its limits.
bool plain_integer(std::string_view s, std::string& out) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  const bool negative = !s.empty() && s.front() == '-';
  if (negative) s.remove_prefix(1);
  if (s.empty() || s.size() > 30) return false;
  for (const char c : s) {
    if (!is_digit(c)) return false;
  }
  while (s.size() > 1 && s.front() == '0') s.remove_prefix(1);
  if (negative && s != "0") out += '-';
  out += s;
  return true;
}

bool resolved(std::string_view form) { return !form.empty() && form[0] != '?'; }

// Whether a form is that of a whole number.
bool whole_number(std::string_view form) {
  if (form.size() > 1 && form[0] == '-') form.remove_prefix(1);
  return form.find_first_not_of("0123456789") == std::string_view::npos;
}

void append_unresolved(std::string_view answer, std::string& out) {
  std::string text;
  text.reserve(answer.size() + 1);
  text += '?';
  bool blank = false;
  for (const char c : answer) {
    if (is_blank(c)) {
      blank = text.size() > 1;
      continue;
    }
    if (blank) text += ' ';
    blank = false;
    text += c;
  }
  append_utf8(text, out);
}

using enum CanonicalComparison;

// A polynomial in symbols has one form; a function or a power of a sum may have several.
bool polynomial(const Value& value) {
  return value.kind == ValueKind::kExpression && !value.expression.has(FactorKind::kOpaque);
}

bool number(const Value& value) {
  return value.kind == ValueKind::kExpression && value.expression.numeric();
}

bool rational(const Value& value) {
  return value.kind == ValueKind::kExpression && value.expression.rational();
}

bool all_numbers(const Value& v) { return std::all_of(v.parts.begin(), v.parts.end(), number); }

// One letter that may name a choice.
bool choice(const Value& value) {
  if (value.kind != ValueKind::kExpression || value.expression.terms.size() != 1) return false;
  const std::string text = to_string(value);
  return text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z';
}

std::vector<std::string> symbols(const Expression& x) {
  std::vector<std::string> names;
  for (const Term& term : x.terms) {
    for (const Factor& f : term.factors) {
      if (f.kind == FactorKind::kSymbol && f.name != "e") names.push_back(f.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// A decimal of many digits equals the values without an end that are rounded or cut to it.
CanonicalComparison compare_decimal(const Value& decimal, const Value& other) {
  if (rational(other) && (other.rounded() || terminates(other.expression.value()))) {
    return decimal.expression.value() == other.expression.value() ? kEqual : kDifferent;
  }
  const Approximation a = approximate(decimal.expression), b = approximate(other.expression);
  const long double gap = std::abs(a.value - b.value);
  // 7 digits leave a relative error of 1e-6; the second margin is that of the evaluation.
  return gap > 1e-5L * a.size && gap > 1e-12L * b.size ? kDifferent : kUnknown;
}

// Compares polynomials whose forms differ. Forms are unique (expression.hpp), so the values differ;
// but a unit, a name and a choice may be read as a symbol.
CanonicalComparison compare_polynomials(const Value& x, const Value& y) {
  const std::vector<std::string> in_x = symbols(x.expression), in_y = symbols(y.expression);
  if (in_x.empty() && in_y.empty()) {
    if (x.rounded()) return compare_decimal(x, y);
    if (y.rounded()) return compare_decimal(y, x);
    return kDifferent;
  }
  if (in_x == in_y || (choice(x) && choice(y))) return kDifferent;
  const auto sum_in_symbols = [](const Value& value, const std::vector<std::string>& names) {
    return value.expression.terms.size() > 1 &&
           !std::all_of(names.begin(), names.end(), may_abbreviate_unit);
  };
  return (in_x.empty() && sum_in_symbols(y, in_y)) || (in_y.empty() && sum_in_symbols(x, in_x))
             ? kDifferent
             : kUnknown;
}

CanonicalComparison compare(const Value& gold, const Value& answer);

// Whether an element of x can equal no element of y.
bool unmatched(const Value& x, const Value& y) {
  for (const Value& a : x.parts) {
    bool possible = false;
    for (const Value& b : y.parts) possible |= compare(a, b) != kDifferent;
    if (!possible) return true;
  }
  return false;
}

CanonicalComparison compare_unordered(const Value& x, const Value& y) {
  if (x.parts.size() > 64 || y.parts.size() > 64) return kUnknown;
  if (unmatched(x, y) || unmatched(y, x)) return kDifferent;
  const auto sorted = [](const Value& value) {
    std::vector<std::string> texts;
    for (const Value& part : value.parts) texts.push_back(to_string(part));
    std::sort(texts.begin(), texts.end());
    return texts;
  };
  const std::vector<std::string> texts = sorted(x);
  const bool repeats = std::adjacent_find(texts.begin(), texts.end()) != texts.end();
  return !repeats && texts == sorted(y) ? kEqual : kUnknown;
}

// Whether the elements are equal (kEqual), or some two of them are not.
CanonicalComparison compare_in_order(const Value& x, const Value& y) {
  if (x.parts.size() != y.parts.size()) {
    return all_numbers(x) && all_numbers(y) ? kDifferent : kUnknown;
  }
  CanonicalComparison result = kEqual;
  for (std::size_t i = 0; i < x.parts.size(); ++i) {
    const CanonicalComparison part = compare(x.parts[i], y.parts[i]);
    if (part == kDifferent) return kDifferent;
    if (part == kUnknown) result = kUnknown;
  }
  return result;
}

// (4,3] and (5,2] are both the empty set.
bool may_be_empty(const Value& bracket) {
  if ((bracket.open == '[') == (bracket.close == ']')) return false;
  const Value &low = bracket.parts.front(), &high = bracket.parts.back();
  if (low.text == "-\\infty" || high.text == "\\infty") return false;
  return !rational(low) || !rational(high) ||
         to_real(low.expression.value()) >= to_real(high.expression.value());
}

// (1,234) may be one number, or a pair.
bool may_be_thousands(const Value& bracket) {
  for (std::size_t i = 1; i < bracket.parts.size(); ++i) {
    const std::string text = to_string(bracket.parts[i]);
    if (text.size() != 3 || text.find_first_not_of("0123456789") != std::string::npos) return false;
  }
  return true;
}

CanonicalComparison compare(const Value& gold, const Value& answer) {
  if (to_string(gold) == to_string(answer)) return kEqual;
  if (polynomial(gold) && polynomial(answer)) return compare_polynomials(gold, answer);
  const auto kinds = [&](ValueKind x, ValueKind y) {
    return (gold.kind == x && answer.kind == y) || (gold.kind == y && answer.kind == x);
  };
  if (kinds(ValueKind::kBracket, ValueKind::kBracket)) {
    if (gold.open != answer.open || gold.close != answer.close) return kUnknown;
    if (may_be_empty(gold) && may_be_empty(answer)) return kUnknown;
    return compare_in_order(gold, answer);
  }
  if (kinds(ValueKind::kMatrix, ValueKind::kMatrix)) {
    return gold.columns == answer.columns ? compare_in_order(gold, answer) : kUnknown;
  }
  if (kinds(ValueKind::kSet, ValueKind::kSet) || kinds(ValueKind::kList, ValueKind::kList) ||
      kinds(ValueKind::kSet, ValueKind::kList)) {
    return compare_unordered(gold, answer);
  }
  // Braces against a tuple, an interval or a list in the order of a tuple.
  const bool list = kinds(ValueKind::kList, ValueKind::kBracket);
  if (list || kinds(ValueKind::kSet, ValueKind::kBracket)) {
    const bool pairs = all_numbers(gold) && all_numbers(answer);
    const Value& bracket = gold.kind == ValueKind::kBracket ? gold : answer;
    if (!pairs || bracket.open != '(' || bracket.close != ')') return kUnknown;
    if (!list) return kDifferent;
    return unmatched(gold, answer) || unmatched(answer, gold) ? kDifferent : kUnknown;
  }
  // A number against several numbers, of which one is another number.
  const auto several = [](const Value& v, const Value& single) {
    const bool numbers = v.kind == ValueKind::kSet || v.kind == ValueKind::kList ||
                         (v.kind == ValueKind::kBracket && !may_be_thousands(v));
    return numbers && number(single) && v.parts.size() >= 2 && all_numbers(v) &&
           std::any_of(v.parts.begin(), v.parts.end(),
                       [&](const Value& part) { return compare(part, single) == kDifferent; });
  };
  return several(gold, answer) || several(answer, gold) ? kDifferent : kUnknown;
}

// A name, or a unit, counts where both have one.
CanonicalComparison compare(const Answer& gold, const Answer& answer) {
  const bool one_name = gold.name.empty() != answer.name.empty();
  const bool one_unit = gold.unit.empty() != answer.unit.empty();
  if ((gold.name != answer.name && !one_name) || (gold.unit != answer.unit && !one_unit)) {
    return kUnknown;
  }
  // 180 degrees are pi.
  const auto exact = [](const Value& value) { return rational(value) && !value.rounded(); };
  if (one_unit && (gold.unit == kDegrees || answer.unit == kDegrees) &&
      !(exact(gold.value) && exact(answer.value))) {
    return to_string(gold.value) == to_string(answer.value) ? kEqual : kUnknown;
  }
  return compare(gold.value, answer.value);
}

}  // namespace

bool normalize(std::string_view answer, std::string& out) {
  if (plain_integer(answer, out)) return true;
  if (answer.size() <= kMaxParsedBytes) {
    Answer value;
    if (parse_answer(answer, value)) {
      const std::string form = to_string(value);
      // The form has to be its own form; a limit of the parser, or words, may be in the way.
      Answer again;
      const bool rational = value.name.empty() && value.unit.empty() &&
                            value.value.kind == ValueKind::kExpression &&
                            value.value.expression.rational();
      if (rational || (parse_answer(form, again) && to_string(again) == form)) {
        out += form;
        return true;
      }
    }
  }
  append_unresolved(answer, out);
  return false;
}

CanonicalComparison compare_canonical(std::string_view gold, std::string_view answer) {
  if (gold == answer) return kEqual;
  if (!resolved(gold) || !resolved(answer)) return kUnknown;
  if (whole_number(gold) && whole_number(answer)) return kDifferent;
  Answer x, y;
  if (!parse_answer(gold, x) || !parse_answer(answer, y)) return kUnknown;
  return compare(x, y);
}

void complete_form(std::string_view form, std::string_view gold, std::string& out) {
  const auto unchanged = [&] { out += form; };
  if (form == gold || !resolved(form) || !resolved(gold)) return unchanged();
  if (whole_number(form) && whole_number(gold)) return unchanged();
  Answer answer, model;
  if (!parse_answer(form, answer) || !parse_answer(gold, model)) return unchanged();
  Value& value = answer.value;
  const ValueKind kind = model.value.kind;
  if (value.kind == ValueKind::kList && answer.name.empty() && all_numbers(value)) {
    // The order of a list counts against a tuple alone.
    if (kind != ValueKind::kList && kind != ValueKind::kSet && kind != ValueKind::kExpression) {
      return unchanged();
    }
    std::sort(value.parts.begin(), value.parts.end(),
              [](const Value& x, const Value& y) { return to_string(x) < to_string(y); });
    out += to_string(value);
    return;
  }
  if (value.kind != ValueKind::kExpression || kind != ValueKind::kExpression ||
      choice(model.value)) {
    return unchanged();
  }
  if (model.name.empty() || answer.name.empty()) answer.name = model.name;
  const bool degrees = model.unit == kDegrees || answer.unit == kDegrees;
  const bool known = degrees ? rational(value) && rational(model.value) : number(value);
  if (known && (model.unit.empty() || answer.unit.empty())) answer.unit = model.unit;
  if (rational(model.value) && terminates(model.value.expression.value()) &&
      answer.unit == model.unit) {
    value.text.clear();
  }
  const std::string text = to_string(answer);
  std::string again;
  // Not every value can have every name: x = x + 1.
  if (normalize(text, again) && again == text) {
    out += text;
  } else {
    unchanged();
  }
}

std::string_view NormalizeCache::operator()(std::string_view answer, bool& resolved) {
  if (answer.size() > 256) {
    scratch_.clear();
    resolved = normalize(answer, scratch_);
    return scratch_;
  }
  Entry& entry = entries_[hash128(answer).lo % kEntries];
  if (!entry.used || entry.answer != answer) {
    entry.used = true;
    entry.answer.assign(answer);
    entry.canonical.clear();
    entry.resolved = normalize(answer, entry.canonical);
  }
  resolved = entry.resolved;
  return entry.canonical;
}

}  // namespace rlvr::answers
