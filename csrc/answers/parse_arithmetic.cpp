// Reads sums, products, powers and the units after them.
#include "answers/latex_cleanup.hpp"
#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

// Whether a product hides what stands beside a zero: 0 m.
bool lost(const Expression& x, const Expression& y) {
  return (x.zero() && !y.numeric()) || (y.zero() && !x.numeric());
}

constexpr std::string_view kDegreeWords[] = {"degree", "degrees", "deg"};

}  // namespace

bool Parser::sum(Expression& out) {
  const Nest nest(*this);
  if (!ok()) return false;
  bool first = true;
  for (;;) {
    int sign = 1;
    const char c = peek();
    bool signed_term = true;
    if (c == '+' || c == '-') {
      sign = c == '-' ? -1 : 1;
      ++pos_;
    } else {
      signed_term = false;
    }
    if (!first && !signed_term) return true;
    Expression value;
    if (!term(value)) return false;
    if (sign < 0) value = negate(std::move(value));
    out = first ? std::move(value) : add(budget_, out, value);
    if (!ok()) return false;
    // The unit of a sum has no certain place: 2 + 3 cm.
    if (!unit_.empty()) return (first && out.numeric()) || fail();
    first = false;
  }
}

bool Parser::term(Expression& out) {
  if (!mixed_number(out) && !factor(out)) return false;
  bool after_slash = false;
  for (;;) {
    if (!ok()) return false;
    if (!unit_.empty()) return true;
    const char c = peek();
    bool divide_by = false;
    if (c == '*') {
      if (pos_ + 1 < s_.size() && s_[pos_ + 1] == '*') return fail();
      ++pos_;
    } else if (c == '/') {
      if (after_slash) return fail();  // 1/2/3 may be a date
      ++pos_;
      divide_by = true;
    } else if (take_command("cdot") || take_command("times")) {
    } else if (take_command("div")) {
      divide_by = true;
    } else if (unit(out)) {
      return ok();
    } else if (!implicit_factor()) {
      return ok();
    } else {
      // 1/2x means (1/2)x or 1/(2x).
      if (after_slash) return fail();
      Expression next;
      if (!factor(next) || lost(out, next)) return fail();
      out = multiply(budget_, out, next);
      continue;
    }
    bool negative = false;
    if (peek() == '-') {
      negative = true;
      ++pos_;
    }
    Expression next;
    if (!factor(next) || lost(out, next)) return fail();
    if (negative) next = negate(std::move(next));
    out = divide_by ? divide(budget_, out, next) : multiply(budget_, out, next);
    after_slash = divide_by;
  }
}

bool Parser::mixed_number(Expression& out) {
  const std::size_t start = pos_;
  if (!is_digit(peek())) return false;
  Rational whole;
  const std::size_t at = pos_;
  if (!number(whole)) return false;
  const std::string_view literal = s_.substr(at, pos_ - at);
  const auto back = [&] {
    pos_ = start;
    return false;
  };
  if (literal.find_first_not_of("0123456789") != kNone || !ok()) return back();
  const bool gap = pos_ < s_.size() && s_[pos_] == ' ';
  Rational n, d;
  const std::string_view name = command();
  if (name == "frac" || name == "dfrac" || name == "tfrac") {
    const std::size_t here = pos_;
    advance(name);
    Expression top, bottom;
    if (!argument(top) || !argument(bottom)) return ok() ? back() : false;
    if (!top.rational() || !bottom.rational()) return back();
    n = top.value(), d = bottom.value();
    // 2\frac{7}{3} may be meant as a product; symbols are handled there too.
    if (!n.integer() || !d.integer() || n.n <= 0 || d.n <= n.n) {
      pos_ = here;
      return fail();
    }
  } else if (gap && is_digit(peek())) {
    // 116 837/12500: the blank may separate thousands.
    const std::size_t numerator = pos_;
    if (!number(n) || pos_ - numerator == 3) return fail();
    if (!take('/') || !is_digit(peek()) || !number(d)) return fail();
    if (!n.integer() || !d.integer() || n.n <= 0 || d.n <= n.n) return fail();
  } else {
    return back();
  }
  const char next = peek();
  if (next == '^' || next == '!' || is_digit(next) || next == '.') return fail();
  out = constant(add(budget_, whole, multiply(budget_, n, invert(budget_, d))));
  // 3\frac{1}{2}x: before another factor, most readers take 3\frac{1}{2} as a product.
  const std::size_t end = pos_;
  if (implicit_factor() && !unit(out)) return fail();
  pos_ = end;
  unit_.clear();
  return ok();
}

bool Parser::implicit_factor() {
  const char c = peek();
  if (c == '(') return true;
  if (c == '{') {
    // 3{2} shows as 32.
    const std::size_t at = s_.find_first_not_of(' ', pos_ + 1);
    return at == kNone || !is_digit(s_[at]) || fail();
  }
  if (is_letter(c)) return true;
  if (c != '\\') return false;
  const std::string_view name = command();
  static constexpr std::string_view kAtoms[] = {"frac",  "dfrac",  "tfrac",  "cfrac",  "sqrt", "pi",
                                                "binom", "dbinom", "tbinom", "lfloor", "lceil"};
  return one_of(name, kAtoms) || one_of(name, kGreek) || one_of(name, kFunctions) ||
         one_of(name, kWrappers);
}

bool Parser::unit(const Expression& value) {
  const std::size_t start = pos_;
  if (!value.numeric()) return false;
  const std::string_view name = command();
  if (one_of(name, kWrappers)) {
    advance(name);
    if (!take('{')) return back_to(start);
    while (!take('}')) {
      if (take('.')) continue;
      if (take('/')) {
        unit_ += '/';
        continue;
      }
      if (!unit_word()) return back_to(start);
    }
  } else {
    for (;;) {
      const std::string_view w = word();
      if (w.size() < 2 || !is_unit(w)) break;
      if (!unit_word()) return back_to(start);
    }
  }
  if (unit_.empty()) return back_to(start);
  unit_power();
  if (one_of(unit_, kDegreeWords)) unit_ = kDegrees;
  return true;
}

bool Parser::back_to(std::size_t start) {
  pos_ = start;
  unit_.clear();
  return false;
}

bool Parser::unit_word() {
  const std::string_view w = word();
  if (w.empty() || !is_unit(w)) return false;
  pos_ += w.size();
  if (!unit_.empty() && unit_.back() != '/') unit_ += ' ';
  unit_ += w;
  unit_power();
  return true;
}

void Parser::unit_power() {
  const std::size_t start = pos_;
  if (unit_.size() > 1 && unit_[unit_.size() - 2] == '^') return;  // cm^3^2 is no unit
  if (!take('^')) return;
  const bool braced = take('{');
  const char c = peek();
  if (c != '2' && c != '3') {
    pos_ = start;
    return;
  }
  ++pos_;
  if (braced && !take('}')) {
    pos_ = start;
    return;
  }
  unit_ += '^';
  unit_ += c;
}

bool Parser::factor(Expression& out) {
  const Nest nest(*this);
  const bool applies = may_apply(peek());
  if (!ok() || !primary(out)) return false;
  bool raised = false;
  for (;;) {
    if (!ok()) return false;
    const char c = peek();
    if (c == '(' && raised && applies) return fail();  // f^{-1}(x)
    if (c == '!') {
      ++pos_;
      // n!! is not (n!)!, and 2^3! has two readings.
      if (raised || peek() == '!' || !factorial(out)) return fail();
    } else if (degrees()) {
      return true;
    } else if (c == '^') {
      ++pos_;
      if (raised) return fail();  // 2^3^2, x\u00b2\u00b3
      raised = true;
      Expression exponent;
      if (!exponent_of(exponent)) return false;
      out = power(budget_, out, exponent);
    } else if (c == '*' && pos_ + 1 < s_.size() && s_[pos_ + 1] == '*') {
      pos_ += 2;
      if (raised) return fail();
      raised = true;
      const bool negative = take('-');
      Expression exponent;
      if (!factor(exponent)) return false;
      out = power(budget_, out, negative ? negate(std::move(exponent)) : exponent);
    } else if (c == '\'' || c == '_') {
      return fail();
    } else {
      return true;
    }
  }
}

bool Parser::degrees() {
  const std::size_t start = pos_;
  const bool raised = take('^');
  const bool braced = raised && take('{');
  const std::string_view name = command();
  if (name == "degree" || name == "degrees" || (raised && name == "circ")) {
    advance(name);
    if (!braced || take('}')) {
      unit_ = kDegrees;
      return true;
    }
  }
  pos_ = start;
  return false;
}

bool Parser::exponent_of(Expression& out) {
  const char c = peek();
  if (c == '{' || c == '(') {
    const bool transpose = s_.substr(pos_ + 1, 2) == "T}";
    return !transpose && group(out, c, c == '{' ? '}' : ')');
  }
  const bool negative = take('-');
  if (is_digit(peek())) {
    // 2^10 is 2^{10}, as writers mean it.
    Int value = 0;
    const std::size_t at = pos_;
    for (; pos_ < s_.size() && is_digit(s_[pos_]); ++pos_) {
      if (pos_ - at == 6) return fail();
      value = 10 * value + (s_[pos_] - '0');
    }
    out = constant({value, 1});
    if (pos_ < s_.size() && (s_[pos_] == '.' || s_[pos_] == '/') && pos_ + 1 < s_.size() &&
        is_digit(s_[pos_ + 1])) {
      return fail();  // x^1/2
    }
  } else if (is_letter(peek())) {
    if (word().size() > 1 || peek() == 'T') return fail();  // A^T is a transpose
    if (!symbol(out)) return false;
  } else if (command() == "pi" || one_of(command(), kGreek) || command() == "frac") {
    if (!primary(out)) return false;
  } else {
    return fail();
  }
  if (negative) out = negate(std::move(out));
  return true;
}

bool Parser::factorial(Expression& x) {
  if (x.rational() && x.value().integer()) {
    const Int n = x.value().n;
    if (n < 0) return fail();
    if (n <= 33) {
      Rational value{1, 1};
      for (Int k = 2; k <= n; ++k) value = multiply(budget_, value, {k, 1});
      x = constant(value);
      return ok();
    }
    if (n > 10000) return fail();
  } else if (x.has(FactorKind::kOpaque)) {
    return fail();
  }
  return opaque_atom(x, concat({"(", to_string(x), ")!"}));
}

bool Parser::opaque_atom(Expression& out, std::string name) {
  if (name.size() > 4096) return fail();
  out = atom(FactorKind::kOpaque, std::move(name));
  return true;
}

bool Parser::group(Expression& out, char open, char close) {
  if (!take(open)) return fail();
  ++brackets_;
  if (!sum(out) || !unit_.empty()) return fail();
  if (!take(close)) return fail();
  --brackets_;
  return true;
}

bool Parser::argument(Expression& out) {
  const Nest nest(*this);
  if (!ok()) return false;
  const char c = peek();
  if (c == '{') return group(out, '{', '}');
  if (is_digit(c)) {
    out = constant({c - '0', 1});
    ++pos_;
    return true;
  }
  if (is_letter(c)) {
    const char letter = s_[pos_++];
    out = letter == 'i' ? atom(FactorKind::kI) : atom(FactorKind::kSymbol, std::string(1, letter));
    return true;
  }
  if (c == '\\') return primary(out);
  return fail();
}

}  // namespace rlvr::answers
