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

CanonicalComparison compare_numbers(const Expression& x, const Expression& y) {
  const Approximation a = approximate(x), b = approximate(y);
  const long double gap = std::abs(a.value - b.value);
  // The margin covers rounding to 6 decimals and evaluation to 15 digits, and NaN.
  return gap > 2e-6L && gap > 1e-9L * (a.size + b.size) ? CanonicalComparison::kDifferent
                                                        : CanonicalComparison::kUnknown;
}

// A polynomial in symbols has one form; a function or a power of a sum may have several.
bool polynomial(const Value& value) {
  return value.kind == ValueKind::kExpression && !value.expression.has(FactorKind::kOpaque);
}

std::vector<std::string> symbols(const Expression& x) {
  std::vector<std::string> names;
  for (const Term& term : x.terms) {
    for (const Factor& f : term.factors) {
      if (f.kind == FactorKind::kSymbol) names.push_back(f.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// Two polynomials differ where a coefficient differs by more than rounding. Polynomials in
// different symbols may mean the same ("2n" and "2k"), and one term may be a number and its unit
// ("37/4 m").
CanonicalComparison compare_polynomials(const Expression& x, const Expression& y) {
  const bool same_symbols = symbols(x) == symbols(y);
  const bool against_number =
      (x.numeric() && y.terms.size() > 1) || (y.numeric() && x.terms.size() > 1);
  if (!same_symbols && !against_number) return CanonicalComparison::kUnknown;
  // An e may be Euler's number: e + 1 is 3.718282 rounded.
  const auto number_in_e = [](const Expression& e) {
    const std::vector<std::string> names = symbols(e);
    return names.empty() || (names.size() == 1 && names[0] == "e");
  };
  if (number_in_e(x) && number_in_e(y) &&
      compare_numbers(x, y) != CanonicalComparison::kDifferent) {
    return CanonicalComparison::kUnknown;
  }
  Budget b;
  const Expression gap = add(b, x, negate(y));
  if (!b.ok()) return CanonicalComparison::kUnknown;
  const auto rational_coefficients = [](const Expression& e) {
    for (const Term& term : e.terms) {
      for (const Factor& f : term.factors) {
        if (f.kind != FactorKind::kSymbol) return false;
      }
    }
    return true;
  };
  if (!rational_coefficients(gap)) return CanonicalComparison::kUnknown;
  for (const Term& term : gap.terms) {
    if (std::abs(to_real(term.coefficient)) > 1e-3L) return CanonicalComparison::kDifferent;
  }
  return CanonicalComparison::kUnknown;
}

bool number(const Value& value) {
  return value.kind == ValueKind::kExpression && value.expression.numeric();
}

// A numbered choice, (ii); with an x the letters may be a product: xi.
bool roman_numeral(const Value& value) {
  return value.kind == ValueKind::kText &&
         (value.text.find_first_not_of("iv") == std::string::npos ||
          value.text.find_first_not_of("IV") == std::string::npos);
}

// Compares two values whose canonical forms differ.
CanonicalComparison compare(const Value& gold, const Value& answer) {
  if (number(gold) && number(answer)) return compare_numbers(gold.expression, answer.expression);
  if (polynomial(gold) && polynomial(answer)) {
    return compare_polynomials(gold.expression, answer.expression);
  }
  if (roman_numeral(gold) && roman_numeral(answer)) return CanonicalComparison::kDifferent;
  const auto all_numbers = [](const Value& v) {
    for (const Value& part : v.parts) {
      if (!number(part)) return false;
    }
    return true;
  };
  const auto any_different = [&] {
    for (std::size_t i = 0; i < gold.parts.size(); ++i) {
      if (compare(gold.parts[i], answer.parts[i]) == CanonicalComparison::kDifferent) return true;
    }
    return false;
  };
  if (gold.kind == answer.kind) {
    switch (gold.kind) {
      case ValueKind::kBracket:
        if (gold.open != answer.open || gold.close != answer.close)
          return CanonicalComparison::kUnknown;
        if (gold.parts.size() != answer.parts.size()) {
          return all_numbers(gold) && all_numbers(answer) ? CanonicalComparison::kDifferent
                                                          : CanonicalComparison::kUnknown;
        }
        return any_different() ? CanonicalComparison::kDifferent : CanonicalComparison::kUnknown;
      case ValueKind::kMatrix:
        if (gold.columns != answer.columns || gold.parts.size() != answer.parts.size()) {
          return CanonicalComparison::kDifferent;
        }
        return any_different() ? CanonicalComparison::kDifferent : CanonicalComparison::kUnknown;
      case ValueKind::kSet: {
        // Different where an element of one collection can equal no element of the other.
        const auto unmatched = [](const Value& x, const Value& y) {
          for (const Value& a : x.parts) {
            bool possible = false;
            for (const Value& b : y.parts) {
              possible |=
                  to_string(a) == to_string(b) || compare(a, b) != CanonicalComparison::kDifferent;
            }
            if (!possible) return true;
          }
          return false;
        };
        if (gold.parts.size() > 64 || answer.parts.size() > 64)
          return CanonicalComparison::kUnknown;
        return unmatched(gold, answer) || unmatched(answer, gold) ? CanonicalComparison::kDifferent
                                                                  : CanonicalComparison::kUnknown;
      }
      default:
        return CanonicalComparison::kUnknown;
    }
  }
  // A number against a tuple or set of several numbers.
  const auto several = [&](const Value& v) {
    return (v.kind == ValueKind::kBracket || v.kind == ValueKind::kSet) && v.parts.size() >= 2 &&
           all_numbers(v);
  };
  if ((number(gold) && several(answer)) || (number(answer) && several(gold))) {
    return CanonicalComparison::kDifferent;
  }
  return CanonicalComparison::kUnknown;
}

}  // namespace

bool normalize(std::string_view answer, std::string& out) {
  if (plain_integer(answer, out)) return true;
  if (answer.size() <= kMaxParsedBytes) {
    Value value;
    if (parse_answer(answer, value)) {
      out += to_string(value);
      return true;
    }
  }
  append_unresolved(answer, out);
  return false;
}

CanonicalComparison compare_canonical(std::string_view gold, std::string_view answer) {
  if (gold == answer) return CanonicalComparison::kEqual;
  if (gold.empty() || answer.empty() || gold[0] == '?' || answer[0] == '?') {
    return CanonicalComparison::kUnknown;
  }
  Value x, y;
  if (!parse_answer(gold, x) || !parse_answer(answer, y)) return CanonicalComparison::kUnknown;
  return compare(x, y);
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
