// Exact rationals of 128-bit integers. No operation wraps: a result that does not fit marks the
// budget as failed, and the answer is then unresolved.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace rlvr::answers {

using Int = __int128;

inline std::string concat(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

// The limit on the work for one answer. A failure is permanent and cheap, because unresolved
// answers are common.
struct Budget {
  bool failed = false;
  int work = 20000;
  bool ok() const { return !failed; }
  void fail() { failed = true; }
  bool spend(int amount) {
    work -= amount;
    if (work < 0) failed = true;
    return !failed;
  }
};

struct Rational {
  Int n = 0, d = 1;  // d > 0, lowest terms
  bool zero() const { return n == 0; }
  bool one() const { return n == 1 && d == 1; }
  bool integer() const { return d == 1; }
  bool operator==(const Rational&) const = default;
};

Rational make_rational(Budget& b, Int n, Int d);
Rational add(Budget& b, const Rational& x, const Rational& y);
Rational multiply(Budget& b, const Rational& x, const Rational& y);
Rational invert(Budget& b, const Rational& x);
Rational power(Budget& b, const Rational& x, std::int64_t exponent);
// Whether the decimal digits of the value end.
bool terminates(const Rational& x);
std::string to_string(Int value);
std::string to_string(const Rational& value);
long double to_real(const Rational& value);

}  // namespace rlvr::answers
