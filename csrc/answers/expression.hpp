// Exact sums of products: rational coefficient x primes^fractions x pi^k x i x symbols^exponents.
//
// Without opaque factors the form is unique, so two expressions are equal if and only if their
// forms are: products of prime^e with 0 <= e < 1 are linearly independent over the rationals
// (Besicovitch 1940), pi is transcendental over them (Lindemann), i is not real, and symbols are
// free. An opaque factor (a function, a power of a sum) is compared by its canonical text alone:
// equal forms are still equal values, but different forms may have equal values too.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "answers/rational.hpp"

namespace rlvr::answers {

struct Exponent {
  std::int64_t n = 1, d = 1;
  bool operator==(const Exponent&) const = default;
};

enum class FactorKind : std::uint8_t { kPrime, kPi, kI, kSymbol, kOpaque };

struct Expression;

struct Factor {
  FactorKind kind;
  std::uint64_t prime = 0;
  std::string name;
  Exponent exponent;
  // The sum behind an opaque root or inverse: a whole power of it is multiplied out again.
  std::shared_ptr<const Expression> base = nullptr;

  bool operator==(const Factor& other) const {
    return kind == other.kind && prime == other.prime && name == other.name &&
           exponent == other.exponent;
  }
};

struct Term {
  Rational coefficient;
  std::vector<Factor> factors;  // sorted by kind, prime and name; none to the power 0
};

struct Expression {
  std::vector<Term> terms;  // sorted by factors; no zero coefficients; none: the number 0

  bool zero() const { return terms.empty(); }
  bool rational() const { return terms.empty() || (terms.size() == 1 && terms[0].factors.empty()); }
  Rational value() const { return terms.empty() ? Rational{} : terms[0].coefficient; }
  bool has(FactorKind kind) const;
  bool mentions(std::string_view symbol) const;
  bool numeric() const { return !has(FactorKind::kSymbol) && !has(FactorKind::kOpaque); }
};

Expression constant(const Rational& value);
Expression atom(FactorKind kind, std::string name = {});
Expression add(Budget& b, const Expression& x, const Expression& y);
Expression negate(Expression x);
Expression multiply(Budget& b, const Expression& x, const Expression& y);
Expression divide(Budget& b, const Expression& x, const Expression& y);
Expression power(Budget& b, const Expression& base, const Expression& exponent);
std::string to_string(const Expression& x);

struct Approximation {
  std::complex<long double> value;
  long double size;  // the sum of the terms' sizes, which the error of the value is relative to
};
// Of an expression without opaque factors; a symbol e is Euler's number, other symbols are 1.
Approximation approximate(const Expression& x);

}  // namespace rlvr::answers
