// Canonical text of an expression, and its approximate value.
#include <cmath>
#include <numbers>
#include <numeric>

#include "answers/expression.hpp"

namespace rlvr::answers {

namespace {

void append_exponent(std::string& out, const Exponent& e) {
  if (e == Exponent{1, 1}) return;
  if (e.d == 1 && e.n >= 0 && e.n <= 9) {
    out += concat({"^", std::to_string(e.n)});
  } else if (e.d == 1) {
    out += concat({"^(", std::to_string(e.n), ")"});
  } else {
    out += concat({"^(", std::to_string(e.n), "/", std::to_string(e.d), ")"});
  }
}

// All radicals of a term under one root where that fits: 2^(1/2) 13^(1/2) is 26^(1/2).
void append_radicals(std::vector<std::string>& parts, const std::vector<Factor>& factors) {
  std::int64_t d = 1;
  std::size_t count = 0;
  for (const Factor& f : factors) {
    if (f.kind == FactorKind::kPrime) d = std::lcm(d, f.exponent.d), ++count;
  }
  if (count == 0) return;
  Budget b;
  Rational value{1, 1};
  if (d <= 64) {
    for (const Factor& f : factors) {
      if (f.kind != FactorKind::kPrime) continue;
      value = multiply(
          b, value,
          power(b, Rational{static_cast<Int>(f.prime), 1}, f.exponent.n * (d / f.exponent.d)));
    }
  } else {
    b.fail();
  }
  if (b.ok()) {
    parts.push_back(concat({to_string(value.n), "^(1/", std::to_string(d), ")"}));
    return;
  }
  for (const Factor& f : factors) {
    if (f.kind != FactorKind::kPrime) continue;
    parts.push_back(std::to_string(f.prime));
    append_exponent(parts.back(), f.exponent);
  }
}

}  // namespace

std::string to_string(const Expression& x) {
  if (x.zero()) return "0";
  std::string out;
  for (const Term& term : x.terms) {
    std::vector<std::string> parts;
    append_radicals(parts, term.factors);
    for (const Factor& f : term.factors) {
      if (f.kind == FactorKind::kPrime) continue;
      parts.push_back(f.kind == FactorKind::kPi ? "pi" : f.kind == FactorKind::kI ? "i" : f.name);
      const bool bare_power = f.kind == FactorKind::kOpaque && f.exponent != Exponent{1, 1} &&
                              !(f.name.front() == '(' && f.name.find(")^(") == std::string::npos);
      if (bare_power) parts.back() = concat({"(", parts.back(), ")"});
      append_exponent(parts.back(), f.exponent);
    }
    const Rational& c = term.coefficient;
    if (c.n > 0 && !out.empty()) out += "+";
    if (parts.empty()) {
      out += to_string(c);
      continue;
    }
    if (c.n == -1 && c.d == 1) {
      out += "-";
    } else if (!c.one()) {
      out += concat({to_string(c), "*"});
    }
    for (std::size_t i = 0; i < parts.size(); ++i) out += concat({i > 0 ? "*" : "", parts[i]});
  }
  return out;
}

Approximation approximate(const Expression& x) {
  Approximation sum{0, 0};
  for (const Term& term : x.terms) {
    std::complex<long double> product = to_real(term.coefficient);
    for (const Factor& f : term.factors) {
      const long double e = static_cast<long double>(f.exponent.n) / f.exponent.d;
      if (f.kind == FactorKind::kPrime) {
        product *= std::pow(static_cast<long double>(f.prime), e);
      } else if (f.kind == FactorKind::kPi) {
        product *= std::pow(std::numbers::pi_v<long double>, e);
      } else if (f.kind == FactorKind::kI) {
        product *= std::complex<long double>(0, 1);
      } else if (f.kind == FactorKind::kSymbol && f.name == "e") {
        product *= std::exp(e);
      }
    }
    sum.value += product;
    sum.size += std::abs(product);
  }
  return sum;
}

}  // namespace rlvr::answers
