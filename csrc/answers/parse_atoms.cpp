// Reads numbers, symbols, roots, fractions and functions.
#include "answers/latex_cleanup.hpp"
#include "answers/parser.hpp"

namespace rlvr::answers {

using namespace parser_detail;

namespace {

bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

// Whether letters side by side can only be a product: 2xy and ab + 1, but not "am", "nm", "dx".
bool product(std::string_view w) {
  static constexpr std::string_view kOther[] = {"by", "my", "ty", "yr", "oz", "zu"};
  for (std::size_t i = 1; i < w.size(); ++i) {
    if (w.find(w[i]) < i) return false;
  }
  return w.size() <= 3 && w.find_first_not_of("abcknmpqrtuvwxyz") == kNone && !one_of(w, kOther) &&
         (w == "ab" || w == "mn" || w == "pq" || w.find_first_of("xyz") != kNone);
}

// TeX does not show braces: whether the contents of braces form one factor without the braces, as
// 2, x, (x+1) and \sqrt[3]{2} do.
bool one_thing(std::string_view s) {
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  s.remove_prefix(std::min(s.find_first_not_of(' '), s.size()));
  if (s.empty()) return false;
  if (s.find_first_not_of("0123456789.") == kNone) return true;
  std::size_t i = 0;
  if (is_letter(s[0])) {
    i = 1;
  } else if (s[0] == '\\') {
    for (i = 1; i < s.size() && is_letter(s[i]);) ++i;
  } else if (s[0] != '(') {
    return false;
  }
  for (int level = 0; i < s.size(); ++i) {
    const char c = s[i];
    level += c == '(' || c == '{' || c == '[' ? 1 : c == ')' || c == '}' || c == ']' ? -1 : 0;
    if (level == 0 && std::string_view(")}] ").find(c) == kNone) return false;
    if (level == 0 && s[0] == '(' && i + 1 < s.size()) return false;
  }
  return true;
}

}  // namespace

bool Parser::number(Rational& out) {
  skip();
  std::size_t i = pos_;
  std::string digits;
  // 1,234,567 outside brackets, when the whole run of digits and commas has that form.
  if (brackets_ == 0 && is_digit(s_[i]) && s_[i] != '0' && (i == 0 || s_[i - 1] != ',')) {
    std::size_t end = i;
    while (end < s_.size() && is_digit(s_[end])) ++end;
    bool thousands = end - i <= 3;
    std::size_t k = end;
    while (thousands && k < s_.size() && s_[k] == ',' && k + 1 < s_.size() && is_digit(s_[k + 1])) {
      std::size_t stop = k + 1;
      while (stop < s_.size() && is_digit(s_[stop])) ++stop;
      thousands = stop - k == 4;
      k = stop;
    }
    if (thousands && k > end) {
      // 1,234 stands alone, or with a unit.
      const std::size_t next = std::min(s_.find_first_not_of(' ', k), s_.size());
      const bool alone = next == s_.size() || s_[next] == '.' || is_letter(s_[next]) ||
                         s_[next] < ' ' || s_.substr(next).starts_with("\\text") ||
                         s_.substr(next).starts_with("\\m");
      if (!alone || s_.substr(0, i).find_first_of("0123456789(") != kNone) return fail();
      for (std::size_t at = i; at < k; ++at) {
        if (s_[at] != ',') digits += s_[at];
      }
      i = k;
      merged_thousands_ = true;
    }
  }
  if (digits.empty()) {
    while (i < s_.size() && (is_digit(s_[i]) || s_[i] == kThousands)) {
      if (s_[i] == kThousands) {
        if (brackets_ > 0 || i + 3 >= s_.size() || !is_digit(s_[i + 1]) || !is_digit(s_[i + 2]) ||
            !is_digit(s_[i + 3]) || (i + 4 < s_.size() && is_digit(s_[i + 4])) ||
            (digits.size() > 3 && s_.substr(pos_, i - pos_).find(kThousands) == kNone)) {
          return fail();
        }
        merged_thousands_ = true;
      } else {
        digits += s_[i];
      }
      ++i;
    }
  }
  // 5,000,10,000 and 1,05 are not lists.
  if (pos_ > 0 && s_[pos_ - 1] == ',' && digits.size() > 1 && digits[0] == '0') return fail();
  const bool thousands = merged_thousands_ || s_.substr(pos_, i - pos_).find(kThousands) != kNone;
  std::int64_t scale = 0;
  if (i < s_.size() && s_[i] == '.') {
    std::size_t k = i + 1;
    while (k < s_.size() && is_digit(s_[k])) {
      digits += s_[k++];
      --scale;
    }
    if (k == i + 1) return fail();
    i = k;
    if (i < s_.size() && s_[i] == '.') return fail();
    // 0.1(6) repeats and 5.12(3) is uncertain.
    if (i + 1 < s_.size() && s_[i] == '(' && is_digit(s_[i + 1])) return fail();
  }
  if (digits.empty() || digits.size() > 60) return fail();
  const std::size_t lead = std::min(digits.find_first_not_of('0'), digits.size());
  if (scale < 0 && digits.size() - lead >= 7) {
    if (thousands) return fail();
    ++decimals_;
    decimal_written_ = s_.substr(pos_, i - pos_);
    const std::size_t whole = digits.size() + scale;
    const std::size_t zeros = std::min(lead, whole);
    decimal_ = concat({zeros == whole ? "0" : std::string_view(digits).substr(zeros, whole - zeros),
                       ".", std::string_view(digits).substr(whole)});
  }
  // e-notation needs its digits at once: 4.5e33, 1e-5.
  if (i < s_.size() && (s_[i] == 'e' || s_[i] == 'E')) {
    std::size_t k = i + 1;
    bool negative = false;
    if (k < s_.size() && (s_[k] == '-' || s_[k] == '+')) negative = s_[k++] == '-';
    if (k < s_.size() && is_digit(s_[k])) {
      std::int64_t e = 0;
      while (k < s_.size() && is_digit(s_[k]) && e < 10000) e = 10 * e + (s_[k++] - '0');
      if (k < s_.size() && (is_digit(s_[k]) || s_[k] == '.' || is_letter(s_[k]))) return fail();
      scale += negative ? -e : e;
      i = k;
    }
  }
  pos_ = i;
  Rational value;
  for (const char c : digits) {
    value = add(budget_, multiply(budget_, value, {10, 1}), {c - '0', 1});
  }
  if (scale != 0) value = multiply(budget_, value, power(budget_, {10, 1}, scale));
  out = value;
  return ok();
}

bool Parser::primary(Expression& out) {
  const Nest nest(*this);
  if (!ok()) return false;
  const char c = peek();
  if (is_digit(c) || c == '.') {
    Rational value;
    if (!number(value)) return fail();
    out = constant(value);
    return true;
  }
  if (c == '(') return group(out, '(', ')');
  if (c == '{') return braces(out);
  if (is_letter(c)) return letters(out);
  if (c == '\\') return command_value(out);
  return fail();
}

bool Parser::braces(Expression& out) {
  const std::size_t start = pos_;
  if (!group(out, '{', '}')) return false;
  if (one_thing(s_.substr(start + 1, pos_ - start - 2))) return true;
  // {2x}^2 shows as 2x^2, and 2{x+1} as 2x+1.
  const char next = peek();
  if (next == '^' || next == '!' || next == '_') return fail();
  const bool whole = start == 0 && next == '\0';
  return out.terms.size() <= 1 || whole || fail();
}

bool Parser::letters(Expression& out) {
  const std::string_view w = word();
  if (w == "pi") {
    pos_ += 2;
    out = atom(FactorKind::kPi);
    return true;
  }
  if (w == "sqrt") {
    pos_ += 4;
    Expression inner;
    if (peek() != '(' || !group(inner, '(', ')')) return fail();
    out = power(budget_, inner, constant({1, 2}));
    return ok();
  }
  return (w.size() == 1 || product(w) || fail()) && symbol(out);
}

bool Parser::symbol(Expression& out) {
  const char c = s_[pos_++];
  std::string name(1, c);
  const bool hexadecimal = pos_ >= 2 && (is_digit(s_[pos_ - 2]) || is_letter(s_[pos_ - 2])) &&
                           std::string_view("abcdefABCDEF").find(c) != kNone;
  if (peek() == '_') {
    if (!subscript(name)) return false;
    if (hexadecimal && is_digit(name[name.size() - 2])) return fail();  // 1A_{16} is a numeral
    out = atom(FactorKind::kSymbol, std::move(name));
  } else {
    // 3j and 3*I may be 3i in the spelling of a program.
    if (c == 'I' || (c == 'j' && pos_ >= 2 && is_digit(s_[pos_ - 2]))) return fail();
    out = c == 'i' ? atom(FactorKind::kI) : atom(FactorKind::kSymbol, std::move(name));
  }
  // A run of capitals is one name, and their order counts.
  if (is_capital(c) && is_capital(peek())) return fail();
  return peek() != '(' || multiplies(c);
}

bool Parser::multiplies(char letter) {
  if (may_apply(letter)) return fail();
  bool commas;
  const std::size_t end = closing(commas);
  if (end == kNone || commas) return fail();
  for (std::size_t i = pos_ + 1; i < end; ++i) {
    if (s_[i] == '+' || s_[i] == '-') return true;
  }
  return fail();
}

bool Parser::subscript(std::string& name) {
  if (!take('_')) return fail();
  std::string label;
  const char c = peek();
  if (c == '{') {
    ++pos_;
    int level = 1;
    while (pos_ < s_.size() && level > 0) {
      const char d = s_[pos_++];
      if (d == '{') {
        ++level;
      } else if (d == '}') {
        --level;
      } else if (is_letter(d) || is_digit(d) || d == '\\') {
        label += d;
      } else if (d != ' ') {
        return fail();
      }
    }
    if (level != 0) return fail();
  } else if (is_letter(c) || is_digit(c)) {
    label = std::string(1, c);
    ++pos_;
  } else {
    const std::string_view greek = command();
    if (!one_of(greek, kGreek)) return fail();
    label = concat({"\\", greek});
    advance(greek);
  }
  for (const std::string_view wrapper : {"\\text", "\\mathrm"}) {
    for (std::size_t at; (at = label.find(wrapper)) != kNone;) label.erase(at, wrapper.size());
  }
  if (label.empty() || label.size() > 32) return fail();
  name += label.size() == 1 ? concat({"_", label}) : concat({"_{", label, "}"});
  return true;
}

bool Parser::command_value(Expression& out) {
  const std::string_view name = command();
  if (name.empty()) return fail();
  advance(name);
  if (name == "pi") {
    out = atom(FactorKind::kPi);
    return true;
  }
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    Expression top, bottom;
    if (!argument(top) || !argument(bottom)) return fail();
    // dy/dx is not a quotient of products.
    const auto differential = [](const Expression& e) {
      return e.terms.size() == 1 && e.mentions("d");
    };
    if (differential(top) && differential(bottom)) return fail();
    out = divide(budget_, top, bottom);
    return ok();
  }
  if (name == "sqrt") {
    Rational degree{2, 1};
    if (peek() == '[') {
      Expression index;
      if (!group(index, '[', ']') || !index.rational() || !index.value().integer()) return fail();
      degree = index.value();
      if (degree.n < 2) return fail();
    }
    Expression inner;
    if (peek() == '(') {
      if (!group(inner, '(', ')')) return false;
    } else if (is_digit(peek()) && pos_ + 1 < s_.size() && is_digit(s_[pos_ + 1])) {
      return fail();  // \sqrt12
    } else if (!argument(inner)) {
      return false;
    }
    out = power(budget_, inner, constant(invert(budget_, degree)));
    return ok();
  }
  if (name == "binom" || name == "dbinom" || name == "tbinom") {
    Expression top, bottom;
    if (!argument(top) || !argument(bottom)) return fail();
    return binomial(out, top, bottom);
  }
  if (name == "lfloor" || name == "lceil") {
    Expression inner;
    const bool floor = name == "lfloor";
    if (!sum(inner) || !take_command(floor ? "rfloor" : "rceil")) return fail();
    if (inner.rational()) {
      const Rational x = inner.value();
      Int whole = x.n / x.d;
      if (floor && x.n % x.d < 0) --whole;
      if (!floor && x.n % x.d > 0) ++whole;
      out = constant({whole, 1});
      return true;
    }
    return opaque_atom(out, concat({floor ? "\\lfloor " : "\\lceil ", to_string(inner),
                                    floor ? "\\rfloor " : "\\rceil "}));
  }
  if (one_of(name, kGreek)) {
    std::string label = concat({"\\", name});
    if (peek() == '_' && !subscript(label)) return false;
    out = atom(FactorKind::kSymbol, concat({label, " "}));
    return peek() != '(' || multiplies('k');
  }
  if (one_of(name, kFunctions)) return function(out, name);
  if (one_of(name, kWrappers)) {
    // A font around a value: \mathbf{x}, \text{(C)}, \mathrm{e}. Words inside a font have no value.
    if (peek() != '{') return fail();
    std::size_t letters = 0;
    const std::size_t end = s_.find('}', pos_);
    if (end == kNone) return fail();
    for (std::size_t i = pos_; i < end; ++i) letters += is_letter(s_[i]);
    if (letters > 1 || name == "boxed" || name == "fbox") return fail();
    // Bold letters are vectors.
    if (name == "mathbf" || name == "boldsymbol" || name == "bold") return fail();
    // 1.0\mathrm{e}{-5} is e-notation.
    const bool e = letters == 1 && (s_[pos_ + 1] == 'e' || s_[pos_ + 1] == 'E');
    if (e && end + 1 < s_.size() && s_[end + 1] == '{') return fail();
    return group(out, '{', '}');
  }
  return fail();
}

bool Parser::binomial(Expression& out, const Expression& top, const Expression& bottom) {
  if (top.rational() && bottom.rational() && top.value().integer() && bottom.value().integer()) {
    const Int n = top.value().n, k = bottom.value().n;
    if (n < 0 || k < 0 || n > 200) return fail();
    if (k > n) {
      out = constant({});
      return true;
    }
    Rational value{1, 1};
    for (Int j = 1; j <= k && ok(); ++j)
      value = multiply(budget_, value, make_rational(budget_, n - k + j, j));
    out = constant(value);
    return ok();
  }
  return opaque_atom(out, concat({"\\binom{", to_string(top), "}{", to_string(bottom), "}"}));
}

bool Parser::function(Expression& out, std::string_view name) {
  std::string label = concat({"\\", name});
  Expression exponent = constant({1, 1});
  for (int round = 0; round < 2; ++round) {
    if (name == "log" && peek() == '_') {
      ++pos_;
      Expression base;
      const bool digit = is_digit(peek());
      if (!argument(base)) return false;
      if (digit && pos_ < s_.size() && is_digit(s_[pos_])) return fail();  // \log_32
      label += concat({"_{", to_string(base), "}"});
    } else if (peek() == '^') {
      ++pos_;
      if (!exponent_of(exponent)) return false;
      if (!exponent.rational() || !exponent.value().integer() || exponent.value().n < 1)
        return fail();
    }
  }
  Expression inner;
  if (peek() == '(') {
    if (!group(inner, '(', ')')) return false;
  } else if (peek() == '{') {
    if (!group(inner, '{', '}')) return false;
  } else {
    // \sin 2x may stop after 2 or after x: only one factor is read without brackets.
    const char c = peek();
    if (!is_digit(c) && !is_letter(c) && c != '\\') return fail();
    if (is_letter(c) && word().size() > 1) return fail();
    if (one_of(command(), kFunctions)) return fail();
    if (!primary(inner)) return false;
    const char next = peek();
    if (next == '^' || next == '!' || next == '/' || implicit_factor()) return fail();
  }
  if (!opaque_atom(out, concat({label, "(", to_string(inner), ")"}))) return false;
  out = power(budget_, out, exponent);
  return ok();
}

}  // namespace rlvr::answers
