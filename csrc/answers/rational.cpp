#include "answers/rational.hpp"

#include <algorithm>
#include <numeric>

namespace rlvr::answers {
namespace {

constexpr Int kLimit = static_cast<Int>(1) << 126;

Int gcd(Int a, Int b) {
  if (a < 0) a = -a;
  if (b < 0) b = -b;
  while (b != 0) {
    if (a <= INT64_MAX && b <= INT64_MAX) {
      return std::gcd(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b));
    }
    const Int r = a % b;
    a = b, b = r;
  }
  return a;
}

Int checked_multiply(Budget& b, Int x, Int y) {
  Int out;
  if (__builtin_mul_overflow(x, y, &out) || out >= kLimit || out <= -kLimit) {
    b.fail();
    return 0;
  }
  return out;
}

Int checked_add(Budget& b, Int x, Int y) {
  Int out;
  if (__builtin_add_overflow(x, y, &out) || out >= kLimit || out <= -kLimit) {
    b.fail();
    return 0;
  }
  return out;
}

}  // namespace

Rational make_rational(Budget& b, Int n, Int d) {
  if (d == 0) {
    b.fail();
    return {};
  }
  if (d == 1) return {n, 1};
  if (d < 0) n = -n, d = -d;
  const Int g = gcd(n, d);
  return {n / g, d / g};
}

Rational add(Budget& b, const Rational& x, const Rational& y) {
  if (x.d == 1 && y.d == 1) return {checked_add(b, x.n, y.n), 1};
  const Int g = gcd(x.d, y.d);
  const Int left = checked_multiply(b, x.n, y.d / g), right = checked_multiply(b, y.n, x.d / g);
  const Int d = checked_multiply(b, x.d, y.d / g);
  if (!b.ok()) return {};
  return make_rational(b, checked_add(b, left, right), d);
}

Rational multiply(Budget& b, const Rational& x, const Rational& y) {
  const Int g = gcd(x.n, y.d), h = gcd(y.n, x.d);
  if (x.n == 0 || y.n == 0) return {};
  const Int n = checked_multiply(b, x.n / g, y.n / h), d = checked_multiply(b, x.d / h, y.d / g);
  return b.ok() ? Rational{n, d} : Rational{};
}

Rational invert(Budget& b, const Rational& x) {
  if (x.n == 0) {
    b.fail();
    return {};
  }
  return x.n < 0 ? Rational{-x.d, -x.n} : Rational{x.d, x.n};
}

Rational power(Budget& b, const Rational& x, std::int64_t exponent) {
  if (exponent < 0) return power(b, invert(b, x), -exponent);
  Rational out{1, 1}, base = x;
  if (exponent > 0 && x.d == 1 && (x.n == 1 || x.n == 0)) return x;
  if (x.d == 1 && x.n == -1) return {exponent % 2 == 0 ? 1 : -1, 1};
  if (exponent > 200) {  // |x| >= 2 or a denominator >= 2: it can't fit
    b.fail();
    return {};
  }
  for (; exponent > 0 && b.ok(); exponent >>= 1) {
    if (exponent & 1) out = multiply(b, out, base);
    if (exponent > 1) base = multiply(b, base, base);
  }
  return out;
}

bool terminates(const Rational& x) {
  Int d = x.d;
  while (d % 2 == 0) d /= 2;
  while (d % 5 == 0) d /= 5;
  return d == 1;
}

std::string to_string(Int value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  std::string digits;
  for (Int v = negative ? -value : value; v > 0; v /= 10) {
    digits.push_back(static_cast<char>('0' + static_cast<int>(v % 10)));
  }
  if (negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string to_string(const Rational& value) {
  return value.d == 1 ? to_string(value.n) : concat({to_string(value.n), "/", to_string(value.d)});
}

long double to_real(const Rational& value) {
  return static_cast<long double>(value.n) / static_cast<long double>(value.d);
}

}  // namespace rlvr::answers
