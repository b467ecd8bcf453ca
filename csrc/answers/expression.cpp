// Sums, products, powers and roots, exact.
#include "answers/expression.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <tuple>

namespace rlvr::answers {
namespace {

constexpr std::size_t kMaxTerms = 64;
constexpr std::int64_t kMaxExponent = 100000;
constexpr std::uint64_t kTrialLimit = 1 << 16;

auto order_key(const Factor& f) { return std::tie(f.kind, f.prime, f.name); }

bool less(const std::vector<Factor>& x, const std::vector<Factor>& y) {
  return std::lexicographical_compare(
      x.begin(), x.end(), y.begin(), y.end(), [](const Factor& a, const Factor& b) {
        return std::tie(a.kind, a.prime, a.name, a.exponent.n, a.exponent.d) <
               std::tie(b.kind, b.prime, b.name, b.exponent.n, b.exponent.d);
      });
}

Exponent make_exponent(Budget& b, std::int64_t n, std::int64_t d) {
  if (d < 0) n = -n, d = -d;
  const std::int64_t g = std::gcd(n, d);
  n /= g, d /= g;
  if (n > kMaxExponent || n < -kMaxExponent || d > kMaxExponent) {
    b.fail();
    return {0, 1};
  }
  return {n, d};
}

Exponent add(Budget& b, const Exponent& x, const Exponent& y) {
  return make_exponent(b, x.n * y.d + y.n * x.d, x.d * y.d);
}

Exponent multiply(Budget& b, const Exponent& x, const Exponent& y) {
  return make_exponent(b, x.n * y.n, x.d * y.d);
}

bool unknown_sign(const Factor& f) {
  return f.kind == FactorKind::kSymbol
             ? f.name != "e"
             : f.kind == FactorKind::kOpaque && (f.base == nullptr || !f.base->numeric());
}

// Whole powers of primes and of i move into the coefficient.
void reduce(Budget& b, Term& term) {
  std::erase_if(term.factors, [&](Factor& f) {
    if (f.exponent.n == 0) return true;
    if (f.kind == FactorKind::kPrime) {
      std::int64_t whole = f.exponent.n / f.exponent.d;
      if (f.exponent.n % f.exponent.d < 0) --whole;
      if (whole != 0) {
        term.coefficient =
            multiply(b, term.coefficient, power(b, Rational{static_cast<Int>(f.prime), 1}, whole));
        f.exponent.n -= whole * f.exponent.d;
      }
      return f.exponent.n == 0;
    }
    if (f.kind == FactorKind::kI) {
      if (f.exponent.d != 1) {
        b.fail();
        return false;
      }
      const std::int64_t turns = ((f.exponent.n % 4) + 4) % 4;
      if (turns >= 2) term.coefficient.n = -term.coefficient.n;
      f.exponent.n = turns % 2;
      return f.exponent.n == 0;
    }
    return false;
  });
}

Term multiply(Budget& b, const Term& x, const Term& y) {
  Term out;
  out.coefficient = multiply(b, x.coefficient, y.coefficient);
  if (x.factors.empty() || y.factors.empty()) {
    out.factors = x.factors.empty() ? y.factors : x.factors;
    return out;
  }
  auto i = x.factors.begin(), j = y.factors.begin();
  while (i != x.factors.end() || j != y.factors.end()) {
    if (j == y.factors.end() || (i != x.factors.end() && order_key(*i) < order_key(*j))) {
      out.factors.push_back(*i++);
    } else if (i == x.factors.end() || order_key(*j) < order_key(*i)) {
      out.factors.push_back(*j++);
    } else {
      out.factors.push_back(*i);
      const Exponent sum = add(b, i->exponent, j->exponent);
      // \sqrt{x}\sqrt{x} is x only where \sqrt{x} is a real number.
      if (sum.d == 1 && i->exponent.d != 1 && unknown_sign(*i)) b.fail();
      out.factors.back().exponent = sum;
      ++i, ++j;
    }
  }
  if (b.ok()) reduce(b, out);
  return out;
}

Expression collect(Budget& b, std::vector<Term> terms) {
  std::sort(terms.begin(), terms.end(),
            [](const Term& x, const Term& y) { return less(x.factors, y.factors); });
  Expression out;
  for (Term& term : terms) {
    if (!out.terms.empty() && out.terms.back().factors == term.factors) {
      out.terms.back().coefficient = add(b, out.terms.back().coefficient, term.coefficient);
    } else {
      if (!out.terms.empty() && out.terms.back().coefficient.zero()) out.terms.pop_back();
      out.terms.push_back(std::move(term));
    }
  }
  if (!out.terms.empty() && out.terms.back().coefficient.zero()) out.terms.pop_back();
  if (out.terms.size() > kMaxTerms) b.fail();
  return out;
}

// The name of an opaque factor holds the forms of its parts: without a limit on its length, nested
// powers of sums would grow exponentially.
Expression opaque(Budget& b, std::string name, Exponent exponent) {
  if (name.size() > 4096) {
    b.fail();
    return {};
  }
  return {{{Rational{1, 1}, {{FactorKind::kOpaque, 0, std::move(name), exponent}}}}};
}

// A power of a sum, kept as one opaque factor.
Expression opaque_sum(Budget& b, const Expression& base, Exponent exponent) {
  Expression out = opaque(b, concat({"(", to_string(base), ")"}), exponent);
  if (b.ok()) out.terms[0].factors[0].base = std::make_shared<const Expression>(base);
  return out;
}

// The term as a sum, whole powers of sums multiplied out.
Expression expand(Budget& b, Term term) {
  for (std::size_t i = 0; i < term.factors.size(); ++i) {
    const Factor factor = term.factors[i];
    if (factor.base == nullptr || factor.exponent.d != 1 || factor.exponent.n <= 0) continue;
    if (factor.exponent.n > 32) b.fail();
    term.factors.erase(term.factors.begin() + static_cast<std::ptrdiff_t>(i));
    Expression out = expand(b, std::move(term));
    for (std::int64_t k = 0; k < factor.exponent.n && b.ok(); ++k) {
      out = multiply(b, out, *factor.base);
    }
    return out;
  }
  return {{std::move(term)}};
}

Term power(Budget& b, const Term& term, std::int64_t n) {
  Term out;
  out.coefficient = power(b, term.coefficient, n);
  out.factors = term.factors;
  for (Factor& f : out.factors) {
    const Exponent product = multiply(b, f.exponent, {n, 1});
    if (product.d == 1 && f.exponent.d != 1 && unknown_sign(f)) b.fail();
    f.exponent = product;
  }
  if (b.ok()) reduce(b, out);
  return out;
}

// x with the opposite sign on every term that holds the factor.
Expression conjugate(const Expression& x, const Factor& factor) {
  Expression out = x;
  for (Term& term : out.terms) {
    for (const Factor& f : term.factors) {
      if (order_key(f) == order_key(factor)) term.coefficient.n = -term.coefficient.n;
    }
  }
  return out;
}

Expression invert(Budget& b, const Expression& x) {
  if (x.zero()) {
    b.fail();
    return {};
  }
  if (x.terms.size() == 1) return expand(b, power(b, x.terms[0], -1));
  // 1/x of a sum of square roots: multiply by conjugates until the denominator is rational.
  bool roots_only = true;
  for (const Term& term : x.terms) {
    for (const Factor& f : term.factors) {
      roots_only &= f.kind == FactorKind::kI ||
                    (f.kind == FactorKind::kPrime && f.exponent == Exponent{1, 2});
    }
  }
  if (roots_only) {
    Expression numerator = constant({1, 1}), denominator = x;
    for (int round = 0; round < 6 && b.ok(); ++round) {
      if (denominator.rational()) {
        return multiply(b, numerator, constant(invert(b, denominator.value())));
      }
      const Factor factor = denominator.terms.back().factors.back();
      const Expression other = conjugate(denominator, factor);
      numerator = multiply(b, numerator, other);
      denominator = multiply(b, denominator, other);
    }
    b.fail();
    return {};
  }
  const Rational lead = x.terms[0].coefficient;
  const Expression scaled = multiply(b, x, constant(invert(b, lead)));
  return multiply(b, opaque_sum(b, scaled, {-1, 1}), constant(invert(b, lead)));
}

// Appends value^exponent as primes; fails where a factor is too large to find.
void add_prime_powers(Budget& b, Int value, const Exponent& exponent, Term& out) {
  const auto push = [&](std::uint64_t prime, std::int64_t count) {
    Term one{Rational{1, 1}, {{FactorKind::kPrime, prime, {}, multiply(b, exponent, {count, 1})}}};
    if (!b.ok()) return;
    reduce(b, one);
    out = multiply(b, out, one);
  };
  for (std::uint64_t p = 2; p < kTrialLimit && static_cast<Int>(p) * p <= value;
       p += p == 2 ? 1 : 2) {
    if ((p & 1023) == 3 && !b.spend(64)) return;
    std::int64_t count = 0;
    while (value % p == 0) value /= p, ++count;
    if (count > 0) push(p, count);
  }
  if (value == 1) return;
  if (value >= static_cast<Int>(kTrialLimit) * kTrialLimit) {
    b.fail();
    return;
  }
  push(static_cast<std::uint64_t>(value), 1);
}

Expression root(Budget& b, const Expression& base, const Exponent& exponent) {
  if (base.zero()) {
    if (exponent.n <= 0) b.fail();
    return {};
  }
  if (base.terms.size() > 1) return opaque_sum(b, base, exponent);
  const Term& term = base.terms[0];
  // (c F)^e = c^e F^e on the principal branch needs c > 0 and at most one F of unknown sign.
  int free = 0;
  bool plain = true;
  for (const Factor& f : term.factors) {
    if (f.kind == FactorKind::kSymbol || f.kind == FactorKind::kOpaque) {
      ++free;
      plain &= f.exponent == Exponent{1, 1};
    }
    plain &= f.kind != FactorKind::kI;
  }
  if (free > 1 || !plain) return opaque_sum(b, base, exponent);
  Term out{Rational{1, 1}, {}};
  Int n = term.coefficient.n;
  if (n < 0) {
    if (free > 0 || exponent.d != 2) {
      b.fail();  // the real and the principal root of a negative number differ
      return {};
    }
    n = -n;
    out.factors.push_back({FactorKind::kI, 0, {}, {exponent.n, 1}});
    reduce(b, out);
  }
  add_prime_powers(b, n, exponent, out);
  add_prime_powers(b, term.coefficient.d, {-exponent.n, exponent.d}, out);
  for (const Factor& f : term.factors) {
    if (!b.ok()) return {};
    Term one{Rational{1, 1}, {f}};
    one.factors[0].exponent = multiply(b, f.exponent, exponent);
    reduce(b, one);
    out = multiply(b, out, one);
  }
  return {{out}};
}

}  // namespace

bool Expression::has(FactorKind kind) const {
  for (const Term& term : terms) {
    for (const Factor& f : term.factors) {
      if (f.kind == kind) return true;
    }
  }
  return false;
}

bool Expression::mentions(std::string_view symbol) const {
  for (const Term& term : terms) {
    for (const Factor& f : term.factors) {
      if (f.kind == FactorKind::kSymbol && f.name == symbol) return true;
    }
  }
  return false;
}

Expression constant(const Rational& value) {
  if (value.zero()) return {};
  return {{{value, {}}}};
}

Expression atom(FactorKind kind, std::string name) {
  return {{{Rational{1, 1}, {{kind, 0, std::move(name), {1, 1}}}}}};
}

Expression add(Budget& b, const Expression& x, const Expression& y) {
  if (!b.ok()) return {};
  if (x.rational() && y.rational()) return constant(add(b, x.value(), y.value()));
  std::vector<Term> terms = x.terms;
  terms.insert(terms.end(), y.terms.begin(), y.terms.end());
  if (!b.spend(static_cast<int>(terms.size()))) return {};
  return collect(b, std::move(terms));
}

Expression negate(Expression x) {
  for (Term& term : x.terms) term.coefficient.n = -term.coefficient.n;
  return x;
}

Expression multiply(Budget& b, const Expression& x, const Expression& y) {
  if (!b.ok()) return {};
  if (x.rational() && y.rational()) return constant(multiply(b, x.value(), y.value()));
  if (!b.spend(static_cast<int>(1 + x.terms.size() * y.terms.size()))) return {};
  std::vector<Term> terms;
  for (const Term& s : x.terms) {
    for (const Term& t : y.terms) {
      Expression product = expand(b, multiply(b, s, t));
      if (!b.ok()) return {};
      std::move(product.terms.begin(), product.terms.end(), std::back_inserter(terms));
      if (terms.size() > kMaxTerms * kMaxTerms) {
        b.fail();
        return {};
      }
    }
  }
  return collect(b, std::move(terms));
}

Expression divide(Budget& b, const Expression& x, const Expression& y) {
  if (!b.ok()) return {};
  return multiply(b, x, invert(b, y));
}

Expression power(Budget& b, const Expression& base, const Expression& exponent) {
  if (!b.ok()) return {};
  if (!exponent.rational()) {
    if (base.zero()) {
      b.fail();
      return {};
    }
    return opaque(b, concat({"(", to_string(base), ")^(", to_string(exponent), ")"}), {1, 1});
  }
  const Rational e = exponent.value();
  if (e.n > kMaxExponent || e.n < -kMaxExponent || e.d > 64) {
    b.fail();
    return {};
  }
  const auto n = static_cast<std::int64_t>(e.n);
  if (!e.integer()) return root(b, base, {n, static_cast<std::int64_t>(e.d)});
  if (base.zero()) {
    if (n <= 0) b.fail();  // 0^0 and 1/0 have no value
    return {};
  }
  if (n == 0 && !base.numeric()) {
    b.fail();
    return {};
  }
  if (base.terms.size() == 1) return expand(b, power(b, base.terms[0], n));
  if (n > 32 || n < -32) {
    b.fail();
    return {};
  }
  const Expression step = n < 0 ? invert(b, base) : base;
  Expression out = constant({1, 1});
  for (std::int64_t i = 0; i < std::abs(n) && b.ok(); ++i) out = multiply(b, out, step);
  return out;
}

}  // namespace rlvr::answers
